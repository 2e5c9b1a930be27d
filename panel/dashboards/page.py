"""Draws a dashboard on a page: its panels on their grid, live, each with what it asks. Builds no query."""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import streamlit as st

from panel import formats, markup, plots, theme, widgets
from panel.dashboards import grid, lines, links, shares, tables, tiles
from panel.dashboards.answers import NO_DATA, Answer, BoardAnswer
from panel.dashboards.asking import Glance
from panel.dashboards.board import Board, Panel
from panel.dashboards.style import STYLE
from panel.drawings import Sketch
from panel.sources import Sources
from panel.timeline.drawing import SIGNS
from panel.timeline.story import Story

_LEAST_PX = {"stat": 138, "gauge": 138, "bargauge": 150, "table": 150}
_MOST_PX = {"stat": 150, "gauge": 190, "bargauge": 280, "table": 300}
_BESIDE = ThreadPoolExecutor(4, thread_name_prefix="panel-story")
"""Asks for the story while the panels are asked for: a page waits for the longer of the two, not for both."""
_HEAD_PX = 78
"""What a panel's title and frame take of the height that Grafana gives it."""


def live(sources: Sources, board: Board, glance: Glance, *, follow: bool = True) -> None:
    """Draw the panels that ``glance`` takes in, anew at every refresh; only once where it does not ``follow``."""
    st.html(STYLE)
    if follow and not glance.over.is_over(time.time()):
        times = max(1, round(glance.refresh_s / sources.refresh_s))
        widgets.live(sources, lambda: _draw(sources, board, glance), times=times)
    else:
        _draw(sources, board, glance)


def _draw(sources: Sources, board: Board, glance: Glance) -> None:
    asked = _BESIDE.submit(sources.story.get, glance.over)
    reading = sources.dashboards.panels.get(glance)
    answer = widgets.value_of(reading)
    story = asked.result().value
    if answer is None:
        return
    _happened(story)
    panels = board.only(glance.titles) if glance.titles else board.panels
    drawer = _Drawer(sources, board, glance, reading.taken_at, answer, story)
    for part in _stacked(panels) if glance.titles else grid.laid_out(panels):
        drawer.part(part)


def _stacked(panels: Iterable[Panel]) -> list[Panel | grid.Row]:
    """Return chosen panels two by two, whatever their places are on their dashboard."""
    listed = list(panels)
    return [
        grid.Row(tuple(grid.Column(12, (panel,)) for panel in listed[at : at + 2])) for at in range(0, len(listed), 2)
    ]


def _happened(story: Story | None) -> None:
    """Name the faults and alerts whose bands and lines stand in the charts below, which are too small for names."""
    if story is None:
        return
    said = [
        f'<span><i style="background:{theme.band_color(band.kind)}"></i><b>{markup.text(band.kind)}</b> '
        f"{formats.clock(band.start)} to {formats.clock(band.end)}</span>"
        for band in story.bands[-6:]
    ]
    fired = list(dict.fromkeys(mark.alert for mark in story.marks if mark.stage == "firing"))
    sign = SIGNS["firing"]
    said += [f"<span>{sign.symbol} {markup.text(alert)} {sign.word}</span>" for alert in fired[-6:]]
    words = "".join(said) or "<span>No fault and no firing alert in this stretch of time.</span>"
    st.markdown(f'<div class="fd-happened">{words}</div>', unsafe_allow_html=True)


@dataclass(frozen=True)
class _Drawer:
    """Draws the panels of one answer."""

    sources: Sources
    board: Board
    glance: Glance
    taken_at: float | None
    answer: BoardAnswer
    story: Story | None

    def part(self, part: Panel | grid.Row) -> None:
        """Draw a panel, or a row of columns with what is in them."""
        if isinstance(part, Panel):
            self._panel(part)
            return
        widths = [column.width for column in part.columns]
        for column, place in zip(part.columns, st.columns(widths, gap="small"), strict=True):
            with place:
                for each in column.content:
                    self.part(each)

    def _panel(self, panel: Panel) -> None:
        if panel.kind == "row" and not panel.problem:
            st.subheader(panel.title)
            return
        key = f"{self.board.uid}-{panel.id}"
        answers = self.answer.of(panel.id)
        with st.container(border=True, key=f"panel-{key}", gap="xsmall", height="stretch"):
            with st.container(horizontal=True, vertical_alignment="center", wrap=False):
                st.html(f'<div class="fd-ptitle">{markup.text(panel.title)}</div>', width="stretch")
                label = f":material/info: About {panel.title}"
                about = st.popover(label, type="tertiary", key=f"about-{key}", on_change="rerun")
                if about.open:  # what stands in those that are closed was a quarter of all that this page sent
                    with about:
                        self._about(panel, answers, key)
            self._body(panel, answers, key)

    def _about(self, panel: Panel, answers: tuple[Answer, ...], key: str) -> None:
        st.markdown(panel.description or "No description.")
        for answer in answers:
            st.code(answer.asked, language="promql", wrap_lines=True)
        if answers and not plotted(panel):
            st.download_button(
                "Values as CSV",
                lambda: tables.values_csv(answers, self.answer.grid).encode(),
                f"{links.file_name(panel.title)}.csv",
                "text/csv",
                key=f"csv-{key}",
                icon=":material/download:",
                on_click="ignore",
            )

    def _body(self, panel: Panel, answers: tuple[Answer, ...], key: str) -> None:
        height = body_px(panel)
        if panel.problem:
            _instead(f"Not drawn: {panel.problem}.", height)
            return
        if panel.kind == "text":
            st.markdown(panel.options.content)
            return
        refused = [answer for answer in answers if answer.refused]
        if refused and len(refused) == len(answers):
            _instead(f"Prometheus refuses its query: {refused[0].refused}", height)
            return
        if plotted(panel):
            self._plot(panel, answers, key)
        else:
            draw = {"stat": tiles.stat, "gauge": tiles.gauge, "bargauge": tiles.bars, "table": tables.table}[panel.kind]
            st.html(draw(panel, answers, height))
        for answer in refused:
            note(f"Query {answer.query.ref} is refused: {answer.refused}")
        if left_out := sum(answer.left_out for answer in answers):
            note(f"{formats.count(left_out, 'series')} more are not drawn.".replace("seriess", "series"))

    def _plot(self, panel: Panel, answers: tuple[Answer, ...], key: str) -> None:
        span, story = self.answer.grid, self.story
        words = panel.place.width >= 20

        def build() -> Sketch:
            if panel.kind == "piechart":
                return shares.pie(panel, answers)
            if panel.kind == "heatmap":
                return shares.heatmap(panel, answers, span, story, words=words)
            return lines.figure(panel, answers, span, story, words=words)

        drawing = self.sources.drawings.get((self.glance, panel.id), self.taken_at, build)
        names = ", ".join(line.name for answer in answers for line in answer.lines[:6]) or NO_DATA
        alt = f"{panel.title}: {names}"
        with st.container(key=f"tall-{drawing.height // 10 * 10}-{key}"):
            plots.draw(drawing, key=f"plot-{key}", alt=alt, title=panel.title, ranged=panel.kind != "piechart")


def note(words: str) -> None:
    """Draw a small remark, in the page's own colour: the fainter one of captions is too faint to read."""
    st.html(f'<div class="fd-note">{markup.text(words)}</div>')


def plotted(panel: Panel) -> bool:
    """Say whether a panel is drawn by plotly, whose charts bring their own buttons for PNG and CSV."""
    return panel.kind in ("timeseries", "heatmap", "piechart")


def body_px(panel: Panel) -> int:
    """Return the height of what stands below a panel's title, in CSS pixels: as in Grafana, within bounds."""
    given = grid.height_px(panel) - _HEAD_PX
    return min(_MOST_PX.get(panel.kind, 300), max(_LEAST_PX.get(panel.kind, 120), given))


def _instead(words: str, height_px: int) -> None:
    said = f'<div class="fd-nothing">{markup.text(words)}</div>'
    st.html(f'<div class="fd-panel" style="min-height:{height_px / 16:.2f}rem">{said}</div>')
