"""Dashboards: those that Grafana gets too, and any that somebody brings, drawn here over the chosen time."""

from __future__ import annotations

import streamlit as st

from panel import deps, formats, roles
from panel.dashboards import chooser, links
from panel.dashboards import page as panels
from panel.dashboards.asking import Glance
from panel.dashboards.board import Board
from panel.sources import Sources
from panel.timeline import picker
from panel.timeline.range import TimeRange

_HOLDING_S = 60.0
"""How old an answer may be that is shown while the page holds still."""


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Dashboards", icon=":material/monitoring:", url_path="dashboards")


def page() -> None:
    """Draw the choices, and the dashboard that they make."""
    sources = deps.sources()
    feeds = sources.dashboards
    with st.container(horizontal=True, vertical_alignment="bottom"):
        board = chooser.board(feeds.boards())
        over = picker.picked(sources)
        every_s = chooser.refresh_s(sources.pace, board.refresh_s)
        chosen = chooser.variables(feeds, board)
        chooser.upload(feeds)
        _grafana(sources, board, over)
    if board.description:
        panels.note(board.description)
    _remarks(board)
    glance = Glance(board.uid, over, chosen, every_s or _HOLDING_S)
    panels.live(sources, board, glance, follow=every_s > 0)


def _grafana(sources: Sources, board: Board, over: TimeRange) -> None:
    if address := links.in_grafana(board, over, sources.status.get().value):
        reason = roles.link_reason()
        st.link_button("Grafana", address, icon=":material/open_in_new:", disabled=reason is not None, help=reason)


def _remarks(board: Board) -> None:
    """Say what of a dashboard that somebody brought is not drawn as its file asks."""
    if not board.shipped:
        panels.note(
            f"{board.title}: {formats.count(len(board.panels), 'panel')}. Durations in its queries are taken as "
            "written: [5m] is five minutes, at any pace."
        )
    if board.remarks:
        with st.expander(f"{formats.count(len(board.remarks), 'thing')} in this file not drawn as written"):
            st.text("\n".join(board.remarks))
