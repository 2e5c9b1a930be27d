"""SLOs: what was promised, what is left of it, how fast it goes, and what the alerts on burn rates say now."""

from __future__ import annotations

import streamlit as st

from panel import deps, widgets
from panel.dashboards import chooser, promise_cards
from panel.dashboards import page as panels
from panel.dashboards.asking import Glance
from panel.dashboards.file import shipped_board
from panel.dashboards.objectives import burn_alerts
from panel.dashboards.style import STYLE
from panel.sources import Sources
from panel.timeline import picker

CHARTS = ("Budget left over time", "Bad events over 5 m", "Burn rate, fast windows", "Burn rate, slow windows")
"""The panels of the SLO dashboard that stand below the objectives."""


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="SLOs", icon=":material/target:", url_path="slos")


def page() -> None:
    """Draw the objectives, and how their budgets burned down over the chosen time."""
    sources = deps.sources()
    st.html(STYLE)
    widgets.live(sources, lambda: _objectives(sources), times=2)
    st.subheader("Burn-down")
    board = shipped_board("slo")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        over = picker.picked(sources)
        every_s = chooser.refresh_s(sources.pace, board.refresh_s)
    glance = Glance(board.uid, over, (), every_s or 60.0, CHARTS)
    panels.live(sources, board, glance, follow=every_s > 0)


def _objectives(sources: Sources) -> None:
    promises = widgets.value_of(sources.dashboards.promises.get())
    if promises is None:
        return
    if not promises.objectives:
        st.info(
            "Nothing has been recorded of any objective yet: no data is not 100 %. The first values come with the "
            "first evaluation of the rules, once the service is scraped.",
            icon=":material/hourglass_top:",
        )
        return
    cards = [promise_cards.card(each, burn_alerts(), sources.pace) for each in promises.objectives]
    st.markdown("".join(cards), unsafe_allow_html=True)
    panels.note(
        "A burn rate of 1× spends the budget exactly within the period. An alert fires when both of its windows are "
        "above its factor for the time given, and enough was seen to go by."
    )
