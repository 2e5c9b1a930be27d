"""The charts' own scripts in real Chromium, without a panel around them: pictures, data, zoom, points, stillness."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go
import pytest
from playwright.sync_api import Browser, Download, Page, expect
from plotly.offline import get_plotlyjs

from panel import charts, lives, plots
from panel.drawings import Drawing
from panel.lives import AlertLife
from panel.plotly_script import ADDRESS
from panel.queries import SIGNALS, Band, Board, SignalSeries
from panel.theme import STYLE
from panel.timeline import zone
from panel.timeline.story import Dot, Mark, Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
START, END = 1_700_000_000.0, 1_700_000_300.0
SOON_MS = 60_000
_LOAD = """async ([engine, chart]) => {
    const script = async (text) =>
        (await import(URL.createObjectURL(new Blob([text], {type: "text/javascript"})))).default;
    (await script(engine))();
    const draw = await script(chart);
    window.said = [];
    window.give = (text) => draw({
        parentElement: document.body,
        data: new TextEncoder().encode(text),
        setTriggerValue: (name, value) => window.said.push([name, value]),
    });
}"""


_COUNT = """() => {
    const react = Plotly.react;
    window.drawn = 0;
    Plotly.react = (...all) => { window.drawn += 1; return react(...all); };
}"""


def board(peak: float = 0.9) -> Board:
    """Return a board of five minutes; ``peak`` is the newest value of every signal."""
    values = (*(0.5 for _ in range(299)), None, peak)
    return Board(START, END, tuple(SignalSeries(signal, START, 1.0, values) for signal in SIGNALS), service_up=True)


def given(figure: go.Figure, title: str = 'Signals "A", B', *, ranged: bool = True) -> str:
    """Return what the panel would send of ``figure``."""
    drawing = Drawing.of(figure)
    about = {"alt": "a chart", "title": title, "height": drawing.height, "ranged": ranged, "zone": zone.changes(END)}
    return f"{json.dumps(about)}\n{drawing.figure}"


def signals(peak: float = 0.9) -> str:
    """Return the chart of signals with a fault, an alert that fires, and two single requests."""
    story = Story(START, END, (Band("error", START + 60, START + 120),), (Mark(START + 90, "A", "firing"),))
    dots = [Dot(START + 30, 0.02, "a" * 32), Dot(START + 200, 5.0, "b" * 32)]
    return given(charts.signal_chart(board(peak), story, dots))


@pytest.fixture(scope="module")
def bare(chromium: Browser) -> Iterator[Page]:
    """Give a page with nothing but the charts' scripts on it."""
    context = chromium.new_context(viewport={"width": 900, "height": 900}, color_scheme="light")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("http://panel.test/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.route(
        f"http://panel.test{ADDRESS}", lambda route: route.fulfill(body=get_plotlyjs(), content_type="text/javascript")
    )
    page.goto("http://panel.test/")
    page.evaluate(_LOAD, [plots.engine_script(), Path(plots.__file__).with_name("plot.js").read_text(encoding="utf-8")])
    yield page
    context.close()
    assert not errors


def draw(page: Page, text: str) -> None:
    """Give the page a new chart and wait until it stands."""
    page.evaluate(
        "([style, html]) => { window.said.length = 0; document.body.innerHTML = style + html; }", [STYLE, plots.HTML]
    )
    page.evaluate("text => { window.give(text); }", text)
    expect(page.locator(".fd-chart[data-drawn=true]")).to_be_visible(timeout=SOON_MS)


def saved(page: Page, name: str) -> Download:
    """Press a button of the chart by the keyboard and return what it saves."""
    with page.expect_download(timeout=SOON_MS) as download:
        page.get_by_role("button", name=name, exact=True).press("Enter")
    return download.value


def table(page: Page) -> list[list[str]]:
    """Return the chart's data as they are saved."""
    return list(csv.reader(io.StringIO(saved(page, "CSV").path().read_text(encoding="utf-8"))))


def test_a_chart_as_picture_and_as_data(bare: Page) -> None:
    """A PNG of constant width, headed; CSV with units, times in UTC, holes, true values, and nothing of the story."""
    draw(bare, signals())
    picture = saved(bare, "PNG")
    content = picture.path().read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    drawn: int = bare.evaluate("document.querySelector('.fd-plot').offsetHeight")
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (width, height) == (1600, 2 * (drawn + 60))
    assert re.fullmatch(r"signals-a-b-\d{4}-\d\d-\d\dT\d{6}Z\.png", picture.suggested_filename)
    rows = table(bare)
    assert rows[0] == [
        *("time (UTC)", "Requests (1/s)", "Error share (ratio)", "Latency p95 (s)", "Single request (s)"),
        *("Confidence (ratio)", "Drift share (ratio)"),
    ]
    by_time = {row[0]: row for row in rows[1:]}
    assert by_time["2023-11-14T22:13:20.000Z"][1] == "0.5"
    assert by_time["2023-11-14T22:18:19.000Z"][1] == ""
    assert by_time["2023-11-14T22:18:20.000Z"][1] == "0.9"
    assert by_time["2023-11-14T22:16:40.000Z"][4] == "5"
    assert list(by_time) == sorted(by_time)


def test_names_are_quoted_and_timelines_have_from_and_to(bare: Page) -> None:
    """A comma or a quotation mark in a name breaks no row; bars and marks are rows of their own."""
    draw(bare, given(go.Figure(go.Scatter(x=[1, 2], y=[3, 4], name='a "b", c'), layout={"height": 200})))
    assert table(bare) == [["x", 'a "b", c'], ["1", "3"], ["2", "4"]]
    story = Story(START, END, (), (Mark(START + 10, "A", "firing"), Mark(START + 40, "A", "resolved")))
    life = lives.alert_lives((), story, START, END)
    assert life == (AlertLife("A", life[0].stages, None),)
    draw(bare, given(lives.stage_chart(life, (), START, END)))
    rows = table(bare)
    assert rows[0] == ["series", "of", "from", "to", "what"]
    assert rows[1][:4] == ["firing", "A", "2023-11-14T22:13:30.000Z", "2023-11-14T22:14:00.000Z"]
    assert rows[2][:4] == ["resolved", "A", "2023-11-14T22:14:00.000Z", ""]


def test_a_zoom_holds_the_chart_still_and_can_become_the_range(bare: Page) -> None:
    """What comes while a zoom is on waits; the button says which stretch is wanted; then the chart goes on."""
    draw(bare, signals())
    button = bare.get_by_role("button", name="Use this range")
    expect(button).to_be_hidden()
    box = bare.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    bare.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 20)
    bare.mouse.down()
    bare.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 24, steps=5)
    bare.mouse.up()
    expect(button).to_be_visible(timeout=SOON_MS)
    bare.evaluate("text => { window.give(text); }", signals(0.1))
    bare.mouse.move(5, 5)
    newest = "document.querySelector('.fd-plot').data[0].y.at(-1)"
    assert bare.evaluate(newest) == 0.9
    button.click()
    bare.mouse.move(5, 5)
    name, (start, end) = bare.evaluate("window.said[0]")
    assert name == "range"
    assert re.fullmatch(r"2023-11-14 \d\d:\d\d:\d\d", start)
    assert start < end
    bare.evaluate("text => { window.give(text); }", signals(0.2))
    bare.wait_for_function(f"{newest} === 0.2", timeout=SOON_MS)


def test_a_point_leads_to_its_trace(bare: Page) -> None:
    """A click on a single request follows the link to its trace."""
    draw(bare, signals())
    point = bare.locator(".scatterlayer .points path.point").first
    box = point.bounding_box()
    assert box is not None
    bare.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(bare.locator(".hoverlayer .legend, .hoverlayer .hovertext").first).to_be_visible(timeout=SOON_MS)
    bare.mouse.down()
    bare.mouse.up()
    expect(bare).to_have_url(f"http://panel.test/traces?trace={'a' * 32}", timeout=SOON_MS)


def test_what_goes_leaves_nothing_behind(bare: Page) -> None:
    """The same again is not drawn again; a chart that leaves the page is cleared, with its listeners."""
    draw(bare, signals())
    bare.evaluate(_COUNT)
    bare.evaluate("text => { window.give(text); }", signals())
    bare.evaluate("text => { window.give(text); }", signals(0.3))
    bare.wait_for_function("document.querySelector('.fd-plot').data[0].y.at(-1) === 0.3", timeout=SOON_MS)
    assert bare.evaluate("window.drawn") == 1
    bare.evaluate("() => { document.querySelector('.fd-chart').cleanup(); }")
    bare.wait_for_function("document.querySelector('.fd-plot').data === undefined", timeout=SOON_MS)
