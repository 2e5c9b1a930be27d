"""The form of one model: a row to start from, its values, the slider that pushes them out, and the two buttons."""

from __future__ import annotations

import re
from dataclasses import replace

import streamlit as st

from panel import markup, roles
from panel.tryout import inputs, pictures
from panel.tryout.attempts import Wish
from stack.clients.service import ServedModel, Upload

MANY = 20
_SHOWN = 10
"""So many training pictures are shown at a time."""
_TYPES = ["png", "jpg", "jpeg", "gif", "bmp", "webp"]
_MOST_MB = 10
_STEP_SIGMA = 0.25


def draw(model: ServedModel) -> Wish | None:
    """Draw the form; return what is to be sent where a button was just pressed."""
    is_picture = model.input.form == "image"
    wish = _picture(model) if is_picture else _row(model)
    off = not roles.may_act() or wish is None
    why = roles.reason() or ("Choose a picture first." if wish is None else None)
    left, right = st.columns(2)
    once = left.button("Predict once", type="primary", key="once", disabled=off, help=why, width="stretch")
    many = right.button(f"Send {MANY}", key="many", disabled=off, help=why, width="stretch")
    if wish is None or not (once or many):
        return None
    return replace(wish, count=MANY) if many else wish


def _row(model: ServedModel) -> Wish:
    features, starts = inputs.features_of(model), inputs.starts_of(model)
    at = _start(len(starts), "Training row to start from")
    start = starts[at - 1]
    meaning = "Moves every value away from its training mean by so many training standard deviations (σ)."
    push = _push("Push out of distribution (σ)", meaning)
    entered = []
    columns = [box for _ in features[::2] for box in st.columns(2)]  # in pairs: a narrow screen keeps their order
    for column, feature, value in zip(columns, features, start, strict=False):
        box = column.number_input(
            feature.name,
            value=float(value),
            step=_step(feature.std),
            format="%g",
            key=f"{_slug(feature.name)}.{model.name}.{at}",
            bind="query-params",
            help=f"In training from {feature.minimum:g} to {feature.maximum:g}, on average {feature.mean:.3g}.",
        )
        entered.append(value if box is None else float(box))
    sent = inputs.pushed(features, entered, push)
    outside = inputs.outside(features, sent) if model.features else ()
    if model.features:
        _comparison(model, sent, outside)
    return Wish(model, inputs.payload_of(model, sent), 1, sent, outside, push)


def _comparison(model: ServedModel, sent: inputs.Row, outside: tuple[inputs.Outside, ...]) -> None:
    """Draw what will be sent beside what the drift rule lets pass."""
    far = {each.name: each for each in outside}
    if outside:
        words = f"▲ Out of distribution: {len(outside)} of {len(sent)} values"
        st.markdown(f":orange-badge[{words}]")
    else:
        st.markdown(":green-badge[✓ In distribution: every value]")
    rows = []
    for feature, value in zip(model.features, sent, strict=True):
        each = far.get(feature.name)
        state = "✓ within"
        if each is not None:
            side = "▲ above" if value > feature.upper else "▼ below"
            state = f"<b>{side}</b>" + (f", {each.sigmas:.1f} σ from the mean" if each.sigmas is not None else "")
        allowed = f"{feature.lower:.4g} to {feature.upper:.4g}"
        rows.append((markup.text(feature.name), f"{value:.4g}", markup.text(allowed), state))
    head = ("Value", "Sent", "Lets pass", "Drift rule")
    st.markdown(markup.table(head, rows, numeric=frozenset({1})), unsafe_allow_html=True)


def _picture(model: ServedModel) -> Wish | None:
    kinds = ["sample", "upload"] if model.examples else ["upload"]
    kind = st.segmented_control("Picture", kinds, default=kinds[0], required=True, key="picture", bind="query-params")
    meaning = "Fades the picture towards white: at 5 it is blank, and like no training picture."
    push = _push(f"Push out of distribution (0 to {inputs.MOST_SIGMA:g})", meaning)
    fade = push / inputs.MOST_SIGMA
    if kind == "upload":
        upload = _upload(fade)
    else:
        at = _start(len(model.examples), "Training picture")
        upload = pictures.example(model, at - 1, fade)
        first = (at - 1) // _SHOWN * _SHOWN
        numbers = range(first, min(first + _SHOWN, len(model.examples)))
        shown = [pictures.example(model, number, fade) for number in numbers]
        st.markdown(pictures.thumbnails(shown, first, at - 1), unsafe_allow_html=True)
    return None if upload is None else Wish(model, upload, 1, push=push)


def _upload(fade: float) -> Upload | None:
    chosen = st.file_uploader("A picture of your own", _TYPES, key="file", max_upload_size=_MOST_MB)
    if chosen is None:
        return None
    try:
        upload = pictures.faded(chosen.name, chosen.getvalue(), fade)
    except pictures.UnreadablePicture as problem:
        st.error(str(problem), icon=":material/broken_image:")
        return None
    st.markdown(pictures.thumbnails([upload], 0, 0), unsafe_allow_html=True)
    return upload


def _start(count: int, label: str) -> int:
    return int(st.number_input(f"{label} (1 to {count})", 1, count, 1, 1, key="row", bind="query-params"))


def _push(label: str, meaning: str) -> float:
    return float(
        st.slider(
            label,
            0.0,
            inputs.MOST_SIGMA,
            0.0,
            _STEP_SIGMA,
            format="%g",
            key="push",
            bind="query-params",
            help=meaning,
        )
    )


def _step(std: float) -> float:
    """Return a step of a spinner's size: about a third of a standard deviation, in a round number."""
    return next((step for step in (100.0, 10.0, 1.0, 0.1, 0.01) if std / 3 >= step), 0.001)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
