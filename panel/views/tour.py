"""Tour: six exercises with what to do, what to see (checked live) and how one knows; scenes and a clean start."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from panel import deps
from panel.views import alerts, overview, rules, traces
from panel.workshop import leader, lesson, sheet
from panel.workshop.exercise import by_number, exercises

_LEADER = "Leader"


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Tour", icon=":material/school:", url_path="tour")


def page() -> None:
    """Draw the choice of an exercise and the chosen one; or what the leader of a workshop needs."""
    sources = deps.sources()
    done, known = lesson.done(), by_number()
    words, choice = st.columns([1, 2.2], vertical_alignment="center")
    whole = sum(exercise.minutes for exercise in exercises())
    words.markdown(f"**{len(known)} exercises, about {whole} minutes** · done: {len(done & set(known))}")
    chosen = choice.segmented_control(
        "Exercise",
        [*known, _LEADER],
        default="1",
        required=True,
        key="exercise",
        bind="query-params",
        label_visibility="collapsed",
    )
    if chosen == _LEADER:
        leader.draw(sources)
        st.download_button(
            "The exercises as a sheet (Markdown)",
            sheet.markdown(exercises()),
            "firedrill-exercises.md",
            "text/markdown",
            icon=":material/download:",
        )
        return
    lesson.draw(sources, known[chosen or "1"], _pages())


def _pages() -> Mapping[str, st.Page]:
    """Return the pages that the exercises lead to, by title."""
    return {page.title: page for page in (view.entry() for view in (overview, alerts, traces, rules))}
