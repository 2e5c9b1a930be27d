"""The trace store's pages in Chromium: by keyboard, on a phone, in the dark; nothing comes from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from playwright.sync_api import Browser, Page, expect

from tests.levels import thorough
from tests.unit.stack.tracestore_lab import MS, Lab, attributes, export_of, running, span

SCREENS = [
    (1280, 900, "light"),
    (390, 844, "dark"),
    *(pytest.param(one, marks=thorough) for one in ((1280, 900, "dark"), (390, 844, "light"))),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store of its own."""
    with running(tmp_path_factory.mktemp("pages")) as started:
        yield started


@pytest.fixture(scope="module")
def root(lab: Lab) -> Span:
    """Store a failed trace of four spans with a fault, long names and hostile text; return its root."""
    made = span("POST /predict", **{"a.rather.long.attribute.name.that.goes.on": "x" * 300})
    first, second = span("preprocess", parent=made), span("model_prediction" * 6, parent=made)
    second.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="<script>document.title='owned'</script>"))
    event = second.events.add(name="fault.injected", time_unix_nano=second.start_time_unix_nano + MS)
    event.attributes.extend(attributes({"fault.kind": "latency"}))
    deep = span("query", parent=second)
    for one, start_ms, end_ms in ((made, 0, 100), (first, 5, 20), (second, 30, 90), (deep, 40, 60)):
        base = made.start_time_unix_nano if one is not made else one.start_time_unix_nano
        one.start_time_unix_nano, one.end_time_unix_nano = base + start_ms * MS, base + end_ms * MS
    lab.send(export_of(made, first, second), export_of(deep, service="database"))
    return made


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[2]}")
def window(chromium: Browser, request: pytest.FixtureRequest, lab: Lab) -> Iterator[Page]:
    """Open a window of each size and colour scheme; a request to anywhere else, or an error, fails the test."""
    width, height, scheme = request.param
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    wrong: list[str] = []
    page.on("request", lambda sent: None if sent.url.startswith((lab.url, "data:")) else wrong.append(sent.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert not wrong


def test_the_pages_fit_and_are_accessible(window: Page, lab: Lab, root: Span) -> None:
    """No sideways scrolling at any width, opened or not; no violation of axe's rules in either colour scheme."""
    trace = f"/trace/{root.trace_id.hex()}"
    for path in (
        "/",
        "/search?tags=error%3Dtrue",
        "/search?limit=x",
        trace,
        f"{trace}?open=all&uiFind=query",
        "/trace/1",
    ):
        window.goto(lab.url + path)
        wide, room = window.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= room, path
        found = Axe().run(window)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    assert window.title() != "owned"


def test_a_trace_is_read_by_keyboard(window: Page, lab: Lab, root: Span) -> None:
    """Tab reaches every span, Enter opens and closes it; the path can be hidden; what was sought is counted."""
    window.goto(f"{lab.url}/trace/{root.trace_id.hex()}?uiFind=QUERY")
    expect(window.get_by_role("status")).to_have_text("1 of 4 spans contain it")
    expect(window.locator(".critical").first).to_be_visible()
    window.get_by_label("Critical path").uncheck()
    expect(window.locator(".critical").first).to_be_hidden()
    lines = window.locator("details.line")
    expect(lines).to_have_count(4)
    window.get_by_label("Critical path").focus()
    for place in range(4):
        window.keyboard.press("Tab")
        window.keyboard.press("Enter")
        expect(lines.nth(place).locator(".details")).to_be_visible()
        window.keyboard.press("Enter")
        expect(lines.nth(place).locator(".details")).to_be_hidden()


def test_a_search_leads_to_a_trace(window: Page, lab: Lab, root: Span) -> None:
    """The form asks, a click on a result opens the trace, an id in the header does so, too."""
    window.goto(lab.url)
    window.get_by_label("Service").select_option("firedrill")
    window.get_by_label("Tags").fill("error=true fault.kind=latency")
    window.get_by_role("button", name="Find traces").click()
    window.get_by_role("link", name="POST /predict").first.click()
    expect(window.get_by_role("heading", level=1)).to_contain_text("POST /predict")
    window.get_by_label("Trace id").fill(root.trace_id.hex())
    window.keyboard.press("Enter")
    expect(window.get_by_text("Injected fault: latency")).to_be_visible()
