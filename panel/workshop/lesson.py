"""One exercise on the page: what to do, with the buttons that do it, and what there is to see, checked live."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

import streamlit as st

from panel import markup, roles, theme, widgets
from panel.sources import ACTOR, Sources
from panel.workshop import conditions
from panel.workshop.exercise import Exercise, Light, latest
from panel.workshop.leading import PRACTICE_RULES, load_practice, take_practice_away
from panel.workshop.memory import Finding, State
from panel.workshop.scene import Scene, look

DONE = "done"
"""The numbers of the exercises that are done, in the address and in the session."""
LOOKS: Mapping[State, theme.Look] = MappingProxyType(
    {
        "met": theme.Look("✓", "seen", theme.GREEN, "green"),
        "waiting": theme.Look("…", "waiting", theme.GREY, "gray"),
        "broken": theme.Look("✗", "not as expected", theme.VERMILLION, "red"),
        "unknown": theme.Look("?", "not known", theme.ORANGE, "orange"),
    }
)
PRACTICE = "practice"
READER = "You are looking on: whoever leads the workshop lights the faults, and you see the same."
IMPOSSIBLE = "This stack's Prometheus reads no practice rules: that takes the native runtime."
_TRACE_ID = re.compile(r"[0-9a-f]{16}([0-9a-f]{16})?")


def draw(sources: Sources, exercise: Exercise, pages: Mapping[str, st.Page]) -> None:
    """Draw the exercise; ``pages`` are the pages that its steps lead to, by title."""
    st.subheader(f"{exercise.number}. {exercise.title}", anchor=False)
    st.markdown(f"{exercise.goal} :gray[About {exercise.minutes} minutes.]")
    doing, seeing = st.columns(2, gap="large")
    with doing:
        st.markdown("**What to do**")
        widgets.live(sources, lambda: _buttons(sources, exercise))
        for number, step in enumerate(exercise.steps, 1):
            words, link = st.columns([3.2, 1.3], vertical_alignment="center")
            words.markdown(f"{number}. {step.do}")
            if step.page in pages:
                link.page_link(pages[step.page], label=step.page, icon=pages[step.page].icon)
        if PRACTICE in exercise.offers:
            with st.expander("The practice rules"):
                st.code(PRACTICE_RULES.read_text(encoding="utf-8"), language="yaml")
    with seeing:
        entered = _entered(exercise) if exercise.asks_for_a_trace else ""
        st.markdown("**What you should see**")
        widgets.live(sources, lambda: _seen(sources, exercise, entered))
        st.markdown(f"**How you know.** {exercise.proof}")
    with st.expander(f"Question: {exercise.question}", icon=":material/help:"):
        st.markdown(exercise.answer)


def done() -> frozenset[str]:
    """Return the numbers of the exercises that this viewer has done."""
    known: frozenset[str] | None = st.session_state.get(DONE)
    return known if known is not None else frozenset(st.query_params.get(DONE, "").split("-")) - {""}


def _entered(exercise: Exercise) -> str:
    """Draw the input of a trace's id and return what can be one; say so where it cannot."""
    text = st.text_input(
        "Id of the trace that you found",
        key=f"trace-of-{exercise.number}",
        placeholder="32 characters, 0-9 and a-f",
        help="It stands under the title of a trace, and at the end of its address.",
    )
    words = text.strip().lower()
    inside = _TRACE_ID.search(words)
    if words and inside is None:
        st.warning("That is no id of a trace: it has 32 characters out of 0-9 and a-f.", icon=":material/block:")
    return inside.group() if inside else ""


def _seen(sources: Sources, exercise: Exercise, entered: str) -> None:
    found = conditions.findings(exercise, look(sources, entered), sources.workshop.memory)
    met = sum(finding.state == "met" for finding in found)
    st.progress(met / len(found), text=f"{met} of {len(found)} seen")
    st.markdown(checklist(exercise, found), unsafe_allow_html=True)
    number = str(exercise.number)
    if conditions.is_done(found) and number not in done():
        _keep(done() | {number})
        st.toast(f"Exercise {number} is done.", icon=":material/check_circle:")
        st.rerun()


def _keep(numbers: frozenset[str]) -> None:
    st.session_state[DONE] = numbers
    st.query_params[DONE] = "-".join(sorted(numbers))


def checklist(exercise: Exercise, found: Sequence[Finding]) -> str:
    """Return the conditions with their state, word and what was found, as a list."""
    items = []
    for seen, finding in zip(exercise.seen, found, strict=True):
        shown = LOOKS[finding.state]
        items.append(
            f'<li style="border-color:{shown.color}"><b>{shown.symbol} {markup.text(seen.says)}</b>'
            f"<span>{markup.text(shown.word)} · {markup.text(finding.words)}</span></li>"
        )
    return f'<ul class="fd-checks">{"".join(items)}</ul>'


def _buttons(sources: Sources, exercise: Exercise) -> None:
    scene = look(sources)
    for name, light in exercise.lights.items():
        _light(sources, exercise, name, light, scene)
    if PRACTICE in exercise.offers:
        _practice(sources)
    if exercise.lights and not roles.may_act():
        st.caption(READER)


def _light(sources: Sources, exercise: Exercise, name: str, light: Light, scene: Scene) -> None:
    record = latest(light, scene.records or (), scene.since)
    key = f"tour-{exercise.number}-{name}"
    if record is not None and record.state == "active":
        st.button(
            f"Put out: {light.label}",
            key=f"{key}-out",
            on_click=_put_out,
            args=(sources, record.id),
            icon=":material/block:",
            **roles.acting(),
        )
        return
    st.button(
        light.label,
        key=key,
        on_click=_lit,
        args=(sources, light),
        type="primary",
        icon=":material/local_fire_department:",
        **roles.acting(disabled=scene.records is None),
    )


def _lit(sources: Sources, light: Light) -> None:
    widgets.act(sources, lambda: sources.conductor.light(light.request(sources.pace), actor=ACTOR))


def _put_out(sources: Sources, fault_id: str) -> None:
    widgets.act(sources, lambda: sources.conductor.put_out(fault_id, actor=ACTOR))


def _practice(sources: Sources) -> None:
    practice = sources.workshop.practice
    if practice.loaded:
        st.button(
            "Take the practice rules away",
            key="practice-out",
            on_click=_unload,
            args=(sources,),
            icon=":material/remove_circle:",
            **roles.acting(),
        )
    else:
        st.button(
            "Load the practice rules",
            key="practice-in",
            on_click=_load,
            args=(sources,),
            icon=":material/add_circle:",
            **roles.acting(disabled=not practice.possible, about=None if practice.possible else IMPOSSIBLE),
        )
        if not practice.possible:
            st.caption(f"{IMPOSSIBLE} Paste them into the Rules page all the same.")


def _load(sources: Sources) -> None:
    widgets.act(sources, partial(load_practice, sources))


def _unload(sources: Sources) -> None:
    widgets.act(sources, partial(take_practice_away, sources))
