"""Shipped dashboards asked of real Prometheus and drawn: every panel, with values and without."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest
from recorded_signals import LASTS_S, STEP_S, recorded

from faults.drills.judge.remote_write import samples_of
from panel.dashboards import lines, shares, tables, tiles
from panel.dashboards.answers import NO_DATA, Answer, BoardAnswer, Line, lines_of, reduced
from panel.dashboards.asking import Glance, read_choices, read_panels
from panel.dashboards.board import Board, Look, Panel, Strokes
from panel.dashboards.file import read_board, shipped, shipped_board
from panel.dashboards.objectives import read_promises
from panel.dashboards.page import body_px, plotted
from panel.drawings import Drawing, Sketch
from panel.queries import Band
from panel.timeline.range import Grid, TimeRange
from panel.timeline.story import Dot, Mark, Story
from stack.clients.prometheus import PrometheusClient
from stack.dashboards.board import NO_LOWER_BOUND, Place, Query, Step
from stack.errors import SourceUnreachable
from stack.pace import WORKSHOP
from tests.realprom import running_prometheus

MAY_BE_EMPTY = frozenset({"Alerts", "Scrape targets", "Service", "Memory of the parts", "CPU of the parts"})
"""Panels whose queries name no selector with labels, so that nothing was recorded for them by name."""
OVER = TimeRange(last_s=60.0)
STORY = Story(0.0, 1.0, (Band("latency", 0.2, 0.6),), (Mark(0.5, "HighLatency", "firing"),))


@dataclass(frozen=True)
class Recording:
    """A real Prometheus that holds a little of every signal, up to ``end``."""

    client: PrometheusClient
    end: float

    def answer(self, board: Board, over: TimeRange = OVER, **chosen: tuple[str, ...]) -> BoardAnswer:
        """Return what it says to all panels of ``board``."""
        return read_panels(self.client, board, Glance(board.uid, over, tuple(chosen.items())), WORKSHOP, self.end)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recording]:
    """Run one Prometheus for all tests, and write two minutes of every series into it."""
    folder = tmp_path_factory.mktemp("recorded")
    with running_prometheus(folder, flags=("--web.enable-remote-write-receiver",)) as prometheus:
        end = math.floor(time.time())
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        for body in samples_of(recorded(end)).requests(0):
            sent = httpx.post(f"{prometheus.url}/api/v1/write", content=body, headers=headers, trust_env=False)
            assert sent.is_success, sent.text
        yield Recording(PrometheusClient(prometheus.url), end)


def without_empty(part: dict[str, object]) -> dict[str, object]:
    """Leave out lists of nothing, as plotly does."""
    return {name: value for name, value in part.items() if value != []}


def checked(sketch: Sketch) -> str:
    """Return what the browser is sent; plotly knows every word of it and takes it as it is written."""
    sent = Drawing.of(sketch)
    known = Drawing.of(sketch.figure())
    assert json.loads(sent.figure, object_hook=without_empty) == json.loads(known.figure, object_hook=without_empty)
    assert sent.height == known.height
    return sent.figure


def drawn(panel: Panel, answers: tuple[Answer, ...], grid: Grid) -> str:
    """Return a panel as it reaches the browser."""
    if panel.kind == "piechart":
        return checked(shares.pie(panel, answers))
    if panel.kind == "heatmap":
        return checked(shares.heatmap(panel, answers, grid, STORY, words=True))
    if panel.kind == "timeseries":
        return checked(lines.figure(panel, answers, grid, STORY, words=False))
    draw = {"stat": tiles.stat, "gauge": tiles.gauge, "bargauge": tiles.bars, "table": tables.table}[panel.kind]
    return draw(panel, answers, body_px(panel))


@pytest.mark.parametrize("board", shipped(), ids=lambda board: board.uid)
def test_every_panel_of_every_shipped_dashboard_is_drawn_with_values(recording: Recording, board: Board) -> None:
    """No query is refused; each panel has series with values, named by its legends, and a drawing that shows them."""
    answer = recording.answer(board)
    for panel in board.panels:
        answers = answer.of(panel.id)
        assert len(answers) == len(panel.queries)
        assert not [each.refused for each in answers if each.refused], panel.title
        told = [line for each in answers for line in each.lines]
        shown = drawn(panel, answers, answer.grid)
        if panel.title in MAY_BE_EMPTY:
            continue
        assert [value for line in told for value in line.values if value is not None], panel.title
        assert NO_DATA not in shown, panel.title
        if panel.kind not in ("heatmap", "table"):
            assert all(line.name and "{{" not in line.name for line in told)
        if plotted(panel):
            assert json.loads(shown)["layout"]["height"] >= 200


@pytest.mark.parametrize("board", shipped(), ids=lambda board: board.uid)
def test_every_panel_says_that_there_is_nothing(recording: Recording, board: Board) -> None:
    """Over a time of which nothing is known each panel is drawn all the same, with words in place of values."""
    answer = recording.answer(board, TimeRange(start=recording.end - 9000, end=recording.end - 8940))
    filled = 0
    for panel in board.panels:
        shown = drawn(panel, answer.of(panel.id), answer.grid)
        empty = not [value for line in lines_of(answer.of(panel.id)) for value in line.values if value is not None]
        if empty:
            assert (panel.look.nothing or NO_DATA) in shown, panel.title
        filled += not empty
    assert filled <= 2  # what counts alerts says 0 where there are none


def test_a_choice_reaches_the_queries(recording: Recording) -> None:
    """What there is to choose is asked for; with one model chosen, no other is shown."""
    board = shipped_board("model")
    variable = next(each for each in board.variables if each.name == "model")
    assert read_choices(recording.client, variable.expr, variable.label) == ("churn", "iris")
    (loaded,) = board.only(("Loaded",))
    (answer,) = recording.answer(board, model=("iris",)).of(loaded.id)
    assert [line.name for line in answer.lines] == ["iris"]
    assert 'model_name=~"iris"' in answer.asked


def test_a_refused_query_is_said_in_its_place_and_the_others_are_there(recording: Recording) -> None:
    """Prometheus's own words stand where the panel would; a query beside it has its values."""
    raw = {"type": "stat", "gridPos": {"x": 0, "y": 0, "w": 4, "h": 4}}
    text = {
        "panels": [
            raw | {"title": "Bad", "targets": [{"refId": "A", "expr": "sum(("}]},
            raw | {"title": "Good", "targets": [{"refId": "A", "expr": "count(up)"}]},
        ]
    }
    board = read_board(json.dumps(text), "mine.json")
    bad, good = (recording.answer(board).of(panel.id)[0] for panel in board.panels)
    assert "parse error" in bad.refused
    assert good.lines[0].last == 1.0


def test_nobody_at_the_address_is_an_error_of_the_source(recording: Recording) -> None:
    """The feed, which knows what was there last, is to say so; not every panel by itself."""
    nobody = PrometheusClient("http://127.0.0.1:9", timeout_s=1.0)
    with pytest.raises(SourceUnreachable):
        read_panels(nobody, shipped_board("host"), Glance("host", OVER), WORKSHOP, recording.end)


def test_the_objectives_are_read_at_once(recording: Recording) -> None:
    """All three objectives with their figures, and the alert that is pending about one of them."""
    found = {each.slo: each for each in read_promises(recording.client).objectives}
    assert sorted(found) == ["api_availability", "api_latency", "api_success_rate"]
    assert found["api_availability"].promised == 0.999
    assert all(each.compliance is not None and each.left is not None for each in found.values())
    assert set(found["api_latency"].burn) == {"5m", "30m", "1h", "6h", "3d"}
    assert found["api_latency"].alerts == {"ErrorBudgetBurnFast": "pending"}


def test_points_lie_where_the_samples_were(recording: Recording) -> None:
    """A counter that rises by one a second is drawn as such, on the grid of the range."""
    text = {"panels": [{"type": "timeseries", "targets": [{"expr": 'node_disk_read_bytes_total{job="node"}'}]}]}
    answer = recording.answer(read_board(json.dumps(text), "mine.json"))
    (line,) = answer.of(0)[0].lines
    expected = [
        LASTS_S / STEP_S - 1 - math.ceil((60.0 - at * answer.grid.step_s) - 1e-9) for at in range(answer.grid.steps)
    ]
    assert list(line.values) == expected


GRID = Grid(1000.0, 1010.0, 1.0)


def series(name: str, *values: float | None, **labels: str) -> Line:
    """Return a series on ``GRID``."""
    return Line(name, labels, values)


def made(kind: str = "timeseries", *, strokes: Strokes | None = None, **look: object) -> Panel:
    """Return a panel that was read from nowhere."""
    steps = (Step(NO_LOWER_BOUND, "green"), Step(0.5, "yellow"), Step(1.0, "red"))
    given = replace(Look("percentunit", steps=steps), **look)  # type: ignore[arg-type]
    return Panel(1, "A panel", "", kind, Place(0, 0, 12, 8), given, strokes=strokes or Strokes())


def test_a_value_carries_its_threshold_in_words_and_a_sign() -> None:
    """Nothing is told by colour alone: below, from and the sign of the colour stand beside the value."""
    answers = (
        Answer(Query("A", "x"), "x", (series("<b>", 0.2), series("b", 0.7), series("c", 1.5), series("d", None))),
    )
    shown = tiles.stat(made("stat"), answers, 100)
    for words in ("✓ below 50\u00a0%", "! from 50\u00a0%", "▲ from 100\u00a0%", "&lt;b&gt;", NO_DATA):
        assert words in shown, words
    assert "<b><b>" not in shown


def test_thresholds_bands_and_marks_stand_in_a_chart() -> None:
    """Dashed lines where the steps are, areas where they are asked for, and the story of the time."""
    answers = (Answer(Query("A", "x"), "x", (series("a", 0.1, 0.9, 1.2),), (Dot(1002.0, 0.8, "ab"),)),)
    story = Story(GRID.start, GRID.end, (Band("latency", 1002.0, 1004.0),), (Mark(1003.0, "HighLatency", "firing"),))
    for style, count in (("off", 0), ("dashed", 2), ("area", 3), ("line+area", 5)):
        panel = made(strokes=Strokes(thresholds=style))  # type: ignore[arg-type]
        figure = json.loads(lines.figure(panel, answers, GRID, story, words=True).json())
        assert len(figure["layout"]["shapes"]) == count + 2, style
        assert figure["data"][-1]["customdata"] == ["ab"]
    assert "latency" in json.dumps(figure["layout"]["annotations"])


@pytest.mark.parametrize("stacked", ["normal", "percent"])
def test_stacked_series_have_an_axis_that_holds_their_sum(stacked: str) -> None:
    """A stack of three ones reaches three, or the whole."""
    answers = (Answer(Query("A", "x"), "x", tuple(series(name, 1.0, 1.0) for name in "abc")),)
    panel = made(strokes=Strokes(stacked=stacked), unit="none")  # type: ignore[arg-type]
    figure = json.loads(lines.figure(panel, answers, GRID, None, words=False).json())
    top = figure["layout"]["yaxis"]["range"][1]
    assert top >= (3.0 if stacked == "normal" else 100.0)
    assert figure["data"][0]["stackgroup"] == "one"


def test_many_series_have_a_legend_that_holds_still() -> None:
    """From the eleventh series on the legend says how many there are more, and the chart grows no higher."""
    few, many = (
        json.loads(
            lines.figure(
                made(), (Answer(Query("A", "x"), "x", tuple(series(str(n), 1.0) for n in range(count))),), GRID, None,
                words=False,
            ).json()
        )
        for count in (lines.MOST_IN_LEGEND, 30)
    )  # fmt: skip
    assert few["layout"]["height"] == many["layout"]["height"]
    assert sum(bool(trace["showlegend"]) for trace in many["data"]) == lines.MOST_IN_LEGEND
    assert "and 20 more" in many["data"][-1]["name"]


def test_buckets_are_told_apart_in_a_heatmap() -> None:
    """What the buckets hold together is taken apart, in the order of their bounds and never below zero."""
    told = [series("", 9.0, 3.0, le="+Inf"), series("", 4.0, 5.0, le="0.5"), series("", 1.0, None, le="0.1")]
    bounds, cells = shares.per_bucket(told)
    assert bounds == [0.1, 0.5, math.inf]
    assert cells == [[1.0, None], [3.0, 5.0], [5.0, 0.0]]


@pytest.mark.parametrize(
    ("calc", "expected"),
    [("lastNotNull", 3.0), ("last", None), ("mean", 2.0), ("max", 3.0), ("min", 1.0), ("sum", 4.0), ("count", 2.0),
     ("first", 1.0), ("range", 2.0)],
)  # fmt: skip
def test_a_series_is_reduced_as_asked(calc: str, expected: float | None) -> None:
    """Each reduction passes over what is not there, but for the last moment's own value."""
    assert reduced((1.0, None, 3.0, None), calc) == expected


def test_values_go_out_as_csv() -> None:
    """One row per moment and series with its labels; instants stand at the end of the range."""
    answers = (
        Answer(Query("A", "x"), "x", (series("a, b", 1.0, None, 2.5, job="j"),)),
        Answer(Query("B", "y", instant=True), "y", (series("now", 7.0),)),
    )
    head, *rows = tables.values_csv(answers, GRID).splitlines()
    assert head == "time,series,job,value"
    assert rows == [
        '1970-01-01T00:16:40.000+00:00,"a, b",j,1.0',
        '1970-01-01T00:16:42.000+00:00,"a, b",j,2.5',
        "1970-01-01T00:16:50.000+00:00,now,,7.0",
    ]
