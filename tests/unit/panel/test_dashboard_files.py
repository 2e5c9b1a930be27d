"""Dashboards as they are read for drawing: the shipped ones wholly, anybody's as far as it goes, and what is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.dashboards import grid
from panel.dashboards.board import DRAWN, Board, Panel
from panel.dashboards.errors import NotADashboard, TooMuch
from panel.dashboards.file import MOST_BYTES, MOST_PANELS, read_board, shipped
from panel.dashboards.grid import Column, Row, laid_out
from stack.dashboards.board import COLUMNS, Place
from stack.dashboards.file import FOLDER, load_dashboard


def document(*panels: dict[str, Any], **more: Any) -> str:
    """Return a dashboard as Grafana would export it."""
    return json.dumps({"title": "Mine", "schemaVersion": 39, "panels": list(panels), **more})


def panel(kind: str = "timeseries", **more: Any) -> dict[str, Any]:
    """Return a panel as Grafana would write it."""
    place = {"x": 0, "y": 0, "w": 12, "h": 8}
    return {"type": kind, "title": "P", "gridPos": place, "targets": [{"refId": "A", "expr": "up"}], **more}


@pytest.mark.parametrize("board", shipped(), ids=lambda board: board.uid)
def test_everything_in_a_shipped_dashboard_is_drawn(board: Board) -> None:
    """No panel type, unit, option, transformation or colour of a shipped file is left out."""
    assert board.remarks == ()
    assert not [each.problem for each in board.panels if each.problem]
    assert {each.kind for each in board.panels} <= set(DRAWN)


@pytest.mark.parametrize("board", shipped(), ids=lambda board: board.uid)
def test_both_readers_read_the_same(board: Board) -> None:
    """The strict reader, by which the files are kept, and this one agree on all that both read."""
    strict = load_dashboard(FOLDER / f"{board.uid}.json")
    for ours, theirs in zip(board.panels, strict.panels, strict=True):
        assert (ours.title, ours.kind, ours.place) == (theirs.title, str(theirs.kind), theirs.place)
        assert [(q.expr, q.legend, q.instant, q.format) for q in ours.queries] == [
            (q.expr, q.legend, q.instant, q.format) for q in theirs.queries
        ]
        assert (ours.look.unit, ours.look.decimals, ours.look.steps) == (
            theirs.look.unit,
            theirs.look.decimals,
            theirs.look.steps,
        )
        assert (ours.strokes.stacked, ours.look.nothing) == (theirs.look.stacked, theirs.look.nothing)
        assert (ours.columns, ours.hidden) == (theirs.columns, theirs.hidden)
        for text in theirs.look.texts:
            mapped = ours.look.mapped(text.value)
            assert mapped is not None
            assert (mapped.text, mapped.color) == (text.text, text.color)
    assert [each.expr for each in board.variables if each.kind == "query"] == [
        each.expr for each in strict.variables if each.selector
    ]


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("{", "not JSON"),
        ("[1]", "holds a list"),
        ("{}", 'no list "panels"'),
        ('{"panels": []}', "no panels"),
        ('{"spec": {"elements": {}}}', "second schema"),
        ("[" * 100_000, "nested too deeply|not JSON"),
    ],
)
def test_what_is_no_dashboard_is_refused_with_the_reason(text: str, because: str) -> None:
    """The message names the file, says what was found, and what to take instead."""
    with pytest.raises(NotADashboard, match=because) as caught:
        read_board(text, "mine.json")
    assert str(caught.value).startswith("mine.json is no dashboard")
    assert "Export" in str(caught.value)


def test_a_dashboard_that_is_too_large_is_refused() -> None:
    """Bytes and panels are bounded: somebody else's file does not stop the panel."""
    with pytest.raises(TooMuch, match="MB"):
        read_board(" " * (MOST_BYTES + 1), "mine.json")
    with pytest.raises(TooMuch, match="panels"):
        read_board(document(*[panel()] * (MOST_PANELS + 1)), "mine.json")


def test_what_is_not_drawn_is_said() -> None:
    """Unknown kinds, options, units, colours, data sources, variables and settings: each is named, none dropped."""
    board = read_board(
        document(
            panel("nodeGraph", title="Graph"),
            panel(fieldConfig={"defaults": {"unit": "furlongs", "custom": {"drawStyle": "line", "wobble": 3}}}),
            panel("stat", title="Loki", datasource={"type": "loki", "uid": "x"}),
            panel(title="Lost", targets=[{"refId": "A", "expr": "up{x=$gone}"}]),
            panel(title="Empty", targets=[]),
            panel(title="Broken", gridPos={"x": "left"}),
            panel("table", title="Joined", transformations=[{"id": "joinByField", "options": {"byField": "job"}}]),
            panel(title="Paint", fieldConfig={"defaults": {}, "overrides": [{"matcher": {"id": "byType"}}]}),
            panel(title="Odd", fieldConfig={"defaults": {"color": {"mode": "fixed", "fixedColor": "green"}}}),
            somethingNew={"a": 1},
            templating={"list": [{"name": "q", "type": "query", "query": "query_result(up)"}]},
        ),
        "mine.json",
    )
    said = "\n".join(board.remarks)
    problems = {each.title: each.problem for each in board.panels}
    assert "'nodeGraph' are not drawn" in problems["Graph"]
    assert "'loki'" in problems["Loki"]
    assert "$gone" in problems["Lost"]
    assert "no query" in problems["Empty"]
    assert "gridPos.x" in problems["Broken"]
    assert problems["Odd"] == problems["P"] == ""
    for words in (
        "unit = furlongs",
        "wobble = 3",
        "transformations.id = joinByField",
        "overrides.matcher.id = byType",
        "somethingNew.a = 1",
        "variable q: 'query_result(up)'",
        *(f"{title}: {problem}" for title, problem in problems.items() if problem),
    ):
        assert words in said, words
    assert not [line for line in board.remarks if line.startswith("Odd")]


def test_folded_rows_percentages_and_mappings_are_read() -> None:
    """A row's own panels are there; thresholds in percent become values; ranges and special values read as texts."""
    inner = panel(
        "gauge",
        title="Inside",
        fieldConfig={
            "defaults": {
                "min": 0,
                "max": 50,
                "thresholds": {"mode": "percentage", "steps": [{"color": "green", "value": None}, {"value": 80}]},
                "mappings": [
                    {"type": "range", "options": {"from": 10, "to": 20, "result": {"text": "some"}}},
                    {"type": "special", "options": {"match": "null", "result": {"text": "away"}}},
                    {"type": "value", "options": {"3": {"text": "three"}, "x": {"text": "ignored"}}},
                ],
            }
        },
    )
    board = read_board(document({"type": "row", "title": "Part", "collapsed": True, "panels": [inner]}), "mine.json")
    row, gauge = board.panels
    assert (row.kind, gauge.title, gauge.look.steps[1].value) == ("row", "Inside", 40.0)
    told = [gauge.look.mapped(value) for value in (15.0, None, 3.0, 30.0)]
    assert [each.text if each else None for each in told] == ["some", "away", "three", None]


def test_overrides_change_the_series_that_they_name() -> None:
    """By name, by regular expression and by query; the later one wins; a pattern that is none changes nothing."""

    def override(by: str, what: str, **properties: Any) -> dict[str, Any]:
        listed = [{"id": name, "value": value} for name, value in properties.items()]
        return {"matcher": {"id": by, "options": what}, "properties": listed}

    red = {"mode": "fixed", "fixedColor": "red"}
    overrides = [
        override("byRegexp", "/^5/", color=red, unit="reqps"),
        override("byName", "503", unit="s", displayName="away"),
        override("byFrameRefID", "B", decimals=1),
        override("byRegexp", "(", unit="h"),
    ]
    (one,) = read_board(document(panel(fieldConfig={"defaults": {}, "overrides": overrides})), "mine.json").panels
    title, look = one.seen("503", "A")
    assert (title, look.unit, look.color_mode, look.fixed_color) == ("away", "s", "fixed", "red")
    assert one.seen("500", "A")[1].unit == "reqps"
    assert one.seen("200", "B")[1].decimals == 1
    assert one.seen("200", "A") == ("200", one.look)


@pytest.mark.parametrize(
    ("given", "expr", "values"),
    [
        ({"type": "query", "query": "label_values(up, job)"}, "group by (job) (up)", ()),
        ({"type": "query", "query": {"query": "label_values(job)"}}, 'group by (job) ({job!=""})', ()),
        ({"type": "custom", "query": "a, b,c"}, "", ("a", "b", "c")),
        ({"type": "interval", "query": "1m,5m"}, "", ("1m", "5m")),
        ({"type": "textbox", "query": "x"}, "", ("x",)),
        ({"type": "constant", "query": "y"}, "", ("y",)),
        ({"type": "datasource", "query": "prometheus"}, "", ()),
    ],
)
def test_variables_of_every_kind_are_read(given: dict[str, Any], expr: str, values: tuple[str, ...]) -> None:
    """Each kind says what there is to choose, or what asks for it."""
    board = read_board(document(panel(), templating={"list": [{"name": "v", **given}]}), "mine.json")
    (variable,) = board.variables
    assert (variable.expr, variable.values) == (expr, values)
    assert board.remarks == ()


PLACES = st.lists(
    st.builds(
        lambda x, y, width, height: Place(x, y, min(width, COLUMNS - x), height),
        st.integers(0, 23),
        st.integers(0, 30),
        st.integers(1, 24),
        st.integers(1, 8),
    ),
    min_size=1,
    max_size=12,
)


@given(PLACES)
def test_every_panel_is_laid_out_once_whatever_its_place(places: list[Place]) -> None:
    """Also where panels stand on one another or interlock; the columns of a row fill it."""
    panels = [Panel(index, "", "", "stat", place) for index, place in enumerate(places)]
    found: list[int] = []

    def walk(content: tuple[Panel | Row, ...], width: int) -> None:
        for part in content:
            if isinstance(part, Panel):
                found.append(part.id)
                continue
            assert sum(column.width for column in part.columns) == width
            for column in part.columns:
                assert isinstance(column, Column)
                walk(column.content, column.width)

    walk(laid_out(panels), COLUMNS)
    assert sorted(found) == list(range(len(panels)))


def test_panels_beside_a_tall_one_stand_in_a_column_of_their_own() -> None:
    """A tall panel on the left, two small ones on the right: two columns, not three rows."""
    tall, upper, lower = (
        Panel(index, "", "", "stat", place)
        for index, place in enumerate((Place(0, 0, 8, 8), Place(8, 0, 16, 4), Place(8, 4, 16, 4)))
    )
    (row,) = laid_out([tall, upper, lower])
    assert isinstance(row, Row)
    assert [column.width for column in row.columns] == [8, 16]
    assert row.columns[1].content == (upper, lower)
    assert grid.height_px(tall) == 296
