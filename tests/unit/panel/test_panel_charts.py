"""Figures: what is drawn where."""

from __future__ import annotations

import asyncio
import json

import httpx
from canned_stack import fault
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from faults.drills.reasons import Trend
from faults.drills.wire import StageTimes
from panel import charts, formats, plotly_script, queries, spans
from panel.drawings import Drawing, Sketch
from panel.lives import AlertLife, stage_chart, trend_chart
from panel.queries import SIGNALS, Band, Board, SignalSeries
from panel.timeline.story import Dot, Story
from stack.clients.jaeger import Span, SpanEvent, Trace

START, END = 1_700_000_000.0, 1_700_000_300.0


def board(*latest: float | None) -> Board:
    """Return a board whose series are flat at the given values."""
    series = tuple(
        SignalSeries(signal, START, 1.0, (value,) * 301) for signal, value in zip(SIGNALS, latest, strict=True)
    )
    return Board(START, END, series, service_up=True)


def span(span_id: str, parent: str | None, name: str, start: float, length: float, **more: object) -> Span:
    """Return a span of the service."""
    given = {"tags": {}, "events": (), "error": False, **more}
    fixed = {"span_id": span_id, "parent_id": parent, "operation": name, "service": "firedrill"}
    return Span(**fixed, start=start, duration_s=length, **given)  # type: ignore[arg-type]


def test_signals_share_an_axis_and_a_band_crosses_all_of_them() -> None:
    """Five lines, one shape per band over the whole height, one label per kind."""
    records = [fault("a", "error", START + 50, 60, ended_at=START + 80), fault("b", "error", START + 200, 600)]
    bands = queries.fault_bands(records, (), START, END)
    figure = charts.signal_chart(board(5.0, 0.1, 0.01, 0.9, 0.0), Story(START, END, bands)).figure()
    assert len(figure.data) == len(SIGNALS)
    assert [(shape.yref, shape.y0, shape.y1) for shape in figure.layout.shapes] == [("paper", 0, 1)] * 2
    assert figure.layout.shapes[0].x1 == formats.wall(END)
    assert [note.text for note in figure.layout.annotations].count("<b>error</b>") == 1
    assert figure.layout.uirevision == "signals"


def test_an_axis_grows_in_steps_and_a_share_never_passes_one() -> None:
    """A quiet signal keeps its least height; a large one doubles it; shares end at 105 %."""
    figure = charts.signal_chart(board(7.3, 0.9, None, 0.2, 0.001)).figure()
    tops = [axis.range[1] for axis in figure.select_yaxes()]
    assert tops == [8.0, 1.05, 0.05, 1.0, 0.1]


def test_missing_values_leave_holes() -> None:
    """A moment without a value is no zero."""
    figure = charts.signal_chart(board(5.0, None, None, None, None)).figure()
    assert set(figure.data[1].y) == {None}
    assert figure.data[1].connectgaps is not True


def test_stages_become_bars_and_marks() -> None:
    """Pending and firing are bars up to what ended them; deliveries are marks; the legend names each once."""
    done = StageTimes(
        condition_true=START + 9, pending=START + 10, firing=START + 30, received=START + 31, delivered=START + 33,
        resolved=START + 60,
    )  # fmt: skip
    open_ended = StageTimes(pending=START + 100)
    lives = [AlertLife("HighErrorRate", done, END), AlertLife("HighLatency", open_ended, END)]
    figure = stage_chart(lives, (), START, END)
    bars = {
        (alert, bar.name): length / 1000
        for bar in figure.data
        if bar.type == "bar"
        for alert, length in zip(bar.y, bar.x, strict=True)
    }
    assert bars == {
        ("HighErrorRate", "pending"): 20.0,
        ("HighErrorRate", "firing"): 30.0,
        ("HighLatency", "pending"): 200.0,
    }
    marks = {trace.name for trace in figure.data if trace.type == "scatter"}
    assert marks == {"condition true", "received", "delivered", "resolved"}
    named = [trace.name for trace in figure.data]
    assert sorted(named) == sorted(set(named))


def test_an_alert_that_ended_while_pending_has_no_firing_bar() -> None:
    """Pending that went back to inactive ends at its resolution."""
    life = AlertLife("A", StageTimes(pending=START + 10, resolved=START + 15), END)
    figure = stage_chart([life], (Band("error", START, END),), START, END)
    assert [(bar.name, bar.x[0]) for bar in figure.data if bar.type == "bar"] == [("pending", 5000.0)]


def test_the_waterfall_nests_spans_and_marks_faults_and_errors() -> None:
    """Parents stand before children, times count from the beginning, a fault is a mark of its own."""
    hit = SpanEvent(time=START + 0.002, name="fault.injected", attributes={"fault.kind": "latency"})
    trace = Trace(
        "t",
        (
            span("c", "b", "model_prediction", START + 0.002, 1.5, events=(hit,), error=True),
            span("a", None, "POST /predict", START, 1.6),
            span("b", "a", "<b>preprocess</b>", START + 0.001, 0.1),
        ),
    )
    order = spans.in_order(trace)
    assert [(each.span_id, depth) for each, depth in order] == [("a", 0), ("b", 1), ("c", 2)]
    figure = charts.waterfall(trace, order)
    bars, events = figure.data
    assert [round(base, 3) for base in bars.base] == [0.0, 1.0, 2.0]
    assert list(bars.marker.pattern.shape) == ["", "", "/"]
    assert list(events.y) == [2]
    assert "2. &lt;b&gt;preprocess&lt;/b&gt;" in [note.text for note in figure.layout.annotations]
    about = spans.summary(trace)
    assert (about.operation, about.error, about.faults) == ("POST /predict", True, ("latency",))
    assert round(about.duration_s, 3) == 1.6


def test_the_engine_names_the_script_that_the_panel_serves() -> None:
    """The charts' own scripts come with the page, plotly's by its address, and nothing of it stands in a message."""
    from panel import plots  # noqa: PLC0415 - seconds of import, which only its worker pays

    engine = plots.engine_script()
    assert "function show(host)" in engine
    assert f'"{plotly_script.ADDRESS}"' in engine
    assert plots.PLACE not in engine
    assert len(engine) < 100_000


def test_plotlys_script_is_the_installed_one_and_stands_in_every_page() -> None:
    """It is served packed and to be kept; a page has it in its head, and nothing else is changed."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - as above

    def page(_: Request) -> Response:
        parts = (b"<html><head><title>x</title></he", b"ad><body>here</body></html>")
        return StreamingResponse(iter(parts), media_type="text/html", headers={"Content-Length": "57"})

    def other(_: Request) -> Response:
        return PlainTextResponse("</head>")

    app = Starlette(
        routes=[plotly_script.route(), Route("/", page), Route("/other", other)],
        middleware=[Middleware(plotly_script.Early)],
    )

    async def answers() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://panel.test") as client:
            plain = await client.get(plotly_script.ADDRESS, headers={"Accept-Encoding": "identity"})
            return [plain, *[await client.get(path) for path in (plotly_script.ADDRESS, "/", "/other")]]

    bare, script, told, untouched = asyncio.run(answers())
    assert script.text == get_plotlyjs()
    assert script.headers["content-encoding"] == "gzip"
    assert "immutable" in script.headers["cache-control"]
    assert (bare.text, "content-encoding" in bare.headers) == (script.text, False)
    tag = f'<script async src="{plotly_script.ADDRESS}"></script>'
    assert told.text == f"<html><head><title>x</title>{tag}</head><body>here</body></html>"
    assert int(told.headers["content-length"]) == len(told.content)
    assert untouched.text == "</head>"


def test_single_requests_stand_on_the_latency_row_and_carry_their_trace() -> None:
    """A point has its trace's id; one above the axis stands at its end and keeps its true value for the data."""
    sketch = charts.signal_chart(
        board(5.0, 0.1, 0.01, 0.9, 0.0), None, [Dot(START + 5, 1.5, "ab"), Dot(START, 0.02, "c")]
    )
    figure = sketch.figure()
    assert sketch.layout["shapes"] == []  # plotly leaves out what is empty
    sent = json.loads(Sketch(sketch.data, {**sketch.layout, "shapes": None}).json())
    assert sent == json.loads(Drawing.of(figure).figure)
    points = next(trace for trace in figure.data if trace.mode == "markers")
    assert points.yaxis == next(trace.yaxis for trace in figure.data if trace.name == "Latency p95")
    assert list(points.customdata) == ["ab", "c"]
    assert max(points.y) < 0.05
    assert list(points.meta["values"]) == [1.5, 0.02]


def test_damaged_parentage_loses_no_span() -> None:
    """Orphans are roots; spans that are each other's parents are still listed."""
    trace = Trace("t", (span("a", "gone", "orphan", 1, 1), span("x", "y", "x", 2, 1), span("y", "x", "y", 3, 1)))
    assert {each.span_id for each, _ in spans.in_order(trace)} == {"a", "x", "y"}


def test_labels_of_many_kinds_have_room_and_a_trend_has_its_threshold() -> None:
    """Every further kind of fault makes the margin higher by a line; the threshold crosses the whole curve."""
    bands = [Band(name, START + at, START + at + 20) for at, name in enumerate(("a", "b", "c", "d"))]
    few, many = (stage_chart([], bands[:count], START, END) for count in (2, 4))
    lift = max(each.yshift for each in many.layout.annotations)
    assert many.layout.margin.t - few.layout.margin.t == many.layout.height - few.layout.height > 0
    assert lift < many.layout.margin.t
    points = [(START, 0.01), (START + 10, 0.02)]
    trend = Trend(expression="a", operator=">", threshold=0.05, points=points)
    value, limit = trend_chart(trend, END).data
    assert list(value.y) == [0.01, 0.02]
    assert list(limit.y) == [0.05, 0.05]
    assert list(limit.x) == [formats.wall(START), formats.wall(END)]
