"""Predict: try each model, push its inputs out of distribution, and see what one request leaves behind."""

from __future__ import annotations

import streamlit as st

from panel import deps, formats, widgets
from panel.sources import Sources
from panel.tryout import form, result
from panel.tryout.attempts import Wish
from stack.clients.service import ServedModel

SOON_S = 0.8
"""So long the page waits for an answer before it draws that one is under way."""


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Predict", icon=":material/science:", url_path="predict")


def page() -> None:
    """Draw the choice of a model, its form, and the attempt that the address names."""
    sources = deps.sources()
    served = widgets.value_of(sources.tryout.served.get())
    if served is None:
        return
    if not served.models:
        st.info("The service serves no model. `MODELS` names those that it should.")
        return
    names = [model.name for model in served.models]
    default = served.default if served.default in names else names[0]
    chosen = st.segmented_control(
        "Model", names, default=default, required=True, wrap=True, key="model", bind="query-params"
    )
    model = served.named(chosen or default) or served.models[0]
    widgets.live(sources, lambda: _about(sources, model.name), times=3)
    left, right = st.columns([1, 1.15], gap="large")
    with left:
        wish = form.draw(model)
        if wish is not None:
            _send(sources, wish)
    with right:
        _attempt(sources, model)


def _about(sources: Sources, name: str) -> None:
    """Draw what is known of a model, and whether it is loaded: that may change while somebody looks."""
    served = widgets.value_of(sources.tryout.served.get())
    model = served.named(name) if served is not None else None
    if model is None:
        return
    state = ":green-badge[✓ loaded]" if model.loaded else ":red-badge[✗ not loaded]"
    facts = [f"**{model.title or model.name}**", f"version {model.version}"]
    if model.classes:
        facts.append(f"{len(model.classes)} classes")
    if model.data_origin:
        facts.append(f"trained on: {model.data_origin}")
    st.markdown(f"{state} {' · '.join(facts)}")
    if not model.loaded:
        st.warning(
            "No model is loaded behind this name: the service answers 503 `model_not_loaded`. Its log says why "
            "(`firedrill logs service`)."
        )


def _send(sources: Sources, wish: Wish) -> None:
    attempts = sources.tryout.attempts
    started = widgets.act(sources, lambda: attempts.start(wish))
    if started is not None:
        st.query_params["attempt"] = started
        attempts.wait(started, SOON_S)


def _attempt(sources: Sources, model: ServedModel) -> None:
    """Draw the attempt that the address names, and the way to earlier ones."""
    attempts = sources.tryout.attempts
    named = st.query_params.get("attempt")
    found = attempts.get(named) if named else None
    if found is not None and found.wish.model.name == model.name:
        result.draw(sources, found)
    elif named and found is None:
        st.info("That attempt is not known any more: the newest 50 are kept, until the panel is restarted.")
    else:
        st.info("Choose a row, push it if you like, and send it. What comes back stands here.")
    earlier = [each for each in attempts.recent(model.name) if each.id != named]
    if earlier:
        st.markdown("**Earlier attempts**")
    for each in earlier:
        pushed = f", pushed by {each.wish.push:g} σ" if each.wish.push else ""
        words = f"{formats.clock(each.at)}: {formats.count(each.wish.count, 'request')}{pushed}"
        st.page_link(entry(), label=words, query_params={"model": model.name, "attempt": each.id})
