"""Host: what the machine has and does, and which part of the stack uses how much of it."""

from __future__ import annotations

import streamlit as st

from panel import deps, formats, markup, theme, widgets
from panel.dashboards import chooser
from panel.dashboards import page as panels
from panel.dashboards.asking import Glance
from panel.dashboards.file import shipped_board
from panel.dashboards.parts import PartsUse, PartUse
from panel.dashboards.style import STYLE
from panel.sources import Sources
from panel.timeline import picker

_NODE = "node"
_HEAD = ("Part", "State", "Processor", "Share of the machine", "Memory", "Restarts", "Up for")


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Host", icon=":material/memory:", url_path="host")


def page() -> None:
    """Draw who uses what, and the machine's metrics over the chosen time."""
    sources = deps.sources()
    st.html(STYLE)
    st.subheader("Parts of the stack")
    widgets.live(sources, lambda: _parts(sources), times=2)
    st.subheader("The machine")
    board = shipped_board("host")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        over = picker.picked(sources)
        every_s = chooser.refresh_s(sources.pace, board.refresh_s)
    widgets.live(sources, lambda: _missing(sources), times=4)
    panels.live(sources, board, Glance(board.uid, over, (), every_s or 60.0), follow=every_s > 0)


def _missing(sources: Sources) -> None:
    """Say why there are no metrics of the machine, where there are none."""
    status = sources.status.get().value
    node = next((part for part in status.components if part.name == _NODE), None) if status else None
    if node is None or node.state == "ready":
        return
    look = theme.look(theme.COMPONENT_LOOKS, node.state)
    st.warning(
        f"{node.title} is {look.word}{f': {node.detail}' if node.detail else ''}. Until it is ready, the "
        "panels below have no newer values. See `firedrill status`.",
        icon=":material/monitor_heart:",
    )


def _parts(sources: Sources) -> None:
    used = widgets.value_of(sources.dashboards.parts.get())
    if used is None:
        return
    if all(use.part.state == "stopped" for use in used.parts):
        st.info("No part of the stack runs. Start it with `firedrill up`.", icon=":material/power_off:")
        return
    ordered = sorted(used.parts, key=lambda use: (-(use.cores or 0.0), -(use.memory_bytes or 0), use.part.title))
    numeric = frozenset({2, 4, 5, 6})
    st.markdown(markup.table(_HEAD, [_row(use, used) for use in ordered], numeric=numeric), unsafe_allow_html=True)
    known = [use.cores for use in used.parts if use.cores is not None]
    cores = f"{sum(known):.2f}" if known else "an unknown part"
    memory = sum(use.memory_bytes or 0 for use in used.parts)
    panels.note(
        f"Together {cores} of {formats.count(used.processors, 'processor')} and {formats.memory(memory)} of "
        f"{formats.memory(used.memory_bytes)}. Processor time is that of the processes since the last look, children "
        "included; memory is resident, so that shared pages count several times."
    )


def _row(use: PartUse, used: PartsUse) -> tuple[str, ...]:
    part, share = use.part, use.cores / used.processors if use.cores is not None else None
    return (
        f"<b>{markup.text(part.title)}</b>",
        markup.chip(theme.look(theme.COMPONENT_LOOKS, part.state)),
        markup.text(formats.NOTHING if use.cores is None else f"{use.cores:.2f} cores"),
        "" if share is None else _bar(share),
        markup.text(formats.memory(use.memory_bytes)),
        markup.text(str(part.restarts)),
        markup.text(formats.span(part.uptime_s)),
    )


def _bar(share: float) -> str:
    percent = min(100.0, share * 100)
    bar = f'<div style="width:{percent:.1f}%;background:{theme.LINE}"></div>'
    words = markup.text(formats.quantity(share, "ratio"))
    return f'<div class="fd-bar" aria-hidden="true">{bar}</div><small>{words}</small>'
