"""Every page against a canned stack: everything up, nothing there yet, and each source down."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from canned_pages import APP, Open, said
from canned_stack import SERVERS, SPEAKING, World, fault
from canned_worlds import lively

from panel.queries import SIGNALS
from stack.home import Home
from stack.status import read_status
from tests.levels import on_request, thorough

EMPTY = {
    "": "Prometheus has not scraped the service yet",
    "predict": "The service serves no model",
    "faults": "offers no fault kinds",
    "alerts": "delivered nothing yet",
    "drills": "No drill has run yet",
    "rules": "the checks find nothing",
    "traces": "holds no traces yet",
    "logs": "No record matches",
    "dashboards": "No fault and no firing alert",
    "slos": "Nothing has been recorded of any objective yet",
    "host": "stopped",
    "journal": "Nothing stands in the journal yet",
    "tour": "done: 0",
}
"""What each page says before anything has happened, by its path."""
NEEDS = {
    "": "prometheus", "predict": "service", "traces": "tracestore", "logs": "tracestore",
    "dashboards": "prometheus", "slos": "prometheus", "host": "prometheus",
}  # fmt: skip
"""The source that a page cannot do without, where that is not the conductor."""
ALONE = {"rules": "the checks find nothing", "tour": "so nobody knows"}
"""What pages say that need no source, or ask several."""


@pytest.mark.parametrize("page", EMPTY)
def test_a_page_with_everything_up_shows_no_error(open_page: Open, page: str) -> None:
    """With all sources answering, a page draws without an exception and calls every source fresh."""
    test = open_page(lively(), page)
    assert not test.exception
    assert said(test).count("✓ fresh") == 3
    assert not [error.value for error in test.error if "stack is down" not in error.value]


@pytest.mark.parametrize("page", EMPTY)
def test_a_page_of_an_empty_stack_is_not_blank(open_page: Open, page: str) -> None:
    """Before anything has happened, every page still says so in words."""
    test = open_page(World(), page)
    assert not test.exception
    words = said(test)
    assert EMPTY[page] in words


@pytest.mark.parametrize(
    ("page", "silent"),
    [
        pytest.param(page, silent, marks=thorough if silent == SERVERS else on_request)
        for page in EMPTY
        for silent in [*((each,) for each in SERVERS), SERVERS]
    ],
)
def test_a_page_with_a_source_down_says_what_to_do(open_page: Open, page: str, silent: tuple[str, ...]) -> None:
    """A source that does not answer is shown as unreachable, without a traceback; the others stay fresh."""
    test = open_page(lively(), page, silent=silent)
    assert not test.exception
    words = said(test)
    told = set(silent) & set(SPEAKING)
    assert words.count("✗ unreachable") == len(told)
    assert words.count("✓ fresh") == 3 - len(told)
    if page in ALONE:
        assert ALONE[page] in words
    elif NEEDS.get(page, "conductor") in silent:
        assert "firedrill up" in words
        assert "is unreachable" in words


def test_every_page_is_looked_at() -> None:
    """A page that is added to the navigation is added to these tests."""
    from panel.app import VIEWS  # noqa: PLC0415 - seconds of import, which only its worker pays

    assert [view.__name__.rpartition(".")[2] for view in VIEWS] == [page or "overview" for page in EMPTY]


def test_the_overview_shows_live_values_and_what_burns(open_page: Open) -> None:
    """Tiles show the newest values; the active fault is there with its hits; alerts with what they wait for."""
    test = open_page(lively())
    tiles = {tile.label: tile.value.replace("\u00a0", " ") for tile in test.metric}
    assert tiles["Requests"].endswith("/s")
    assert tiles["Latency p95"].endswith("ms")
    assert tiles["Confidence"].endswith("%")
    words = said(test)
    assert "**error** on iris" in words
    assert "52 hits" in words
    assert "**HighErrorRate**" in words
    assert "Pending for 12 s of 20 s." in words


def test_the_button_puts_every_fault_out_and_says_which(open_page: Open) -> None:
    """One press ends all faults; the page names what ended, from the returned records, and shows none as active."""
    world = lively()
    world.faults.insert(0, fault("l2", "latency", time.time() - 5, 60, hits=7))
    test = open_page(world)
    test.button("reset").click().run()
    assert [each.path for each in world.asked if each.method == "POST"] == ["/faults/reset"]
    words = said(test)
    assert "put out 2 faults: **latency** (7 hits); **error** (52 hits)" in words
    assert "No fault is active." in words
    test.button("reset").click().run()
    assert "no fault was active" in said(test)


def test_a_single_fault_is_put_out_from_its_row(open_page: Open) -> None:
    """The button in a fault's row ends that fault."""
    world = lively()
    test = open_page(world, "faults")
    test.button("faults-out-e1").click().run()
    assert ("DELETE", "/faults/e1") in [(each.method, each.path) for each in world.asked]
    assert "No fault is active." in said(test)


def test_the_form_is_made_from_the_schema_and_lights_the_fault(open_page: Open) -> None:
    """Fields carry the schema's bounds and defaults; a submission sends what was entered, with a time to live."""
    world = lively()
    test = open_page(world, "faults")
    delay = test.number_input("latency-defaults-delay_ms")
    assert (delay.value, delay.max) == (1500.0, 30000.0)
    assert test.selectbox("latency-defaults-distribution").options == ["fixed", "normal", "lognormal"]
    assert test.selectbox("latency-defaults-model").options == ["every model", "churn", "iris"]
    delay.set_value(2500.0)
    test.selectbox("latency-defaults-model").set_value("iris")
    test.number_input("latency-defaults-seed").set_value(11)
    submit = next(button for button in test.button if button.label == "Light the fault")
    submit.click().run()
    body = next(each.body for each in world.asked if (each.method, each.path) == ("POST", "/faults"))
    assert body["kind"] == "latency"
    assert body["parameters"] == {"distribution": "normal", "delay_ms": 2500.0, "jitter_ms": 200.0, "stage": "request"}
    assert body["target"] == {"model": "iris", "endpoint": None}
    assert (body["ttl_s"], body["probability"], body["seed"]) == (60.0, 1.0, 11)
    assert "**latency** is lit for 60 s" in said(test)


def test_a_preset_fills_the_form(open_page: Open) -> None:
    """Choosing a preset sets its parameters and probability, and leaves the rest at the defaults."""
    test = open_page(lively(), "faults")
    test.button_group("preset-latency").set_value("slow").run()
    assert test.number_input("latency-slow-delay_ms").value == 3000.0
    assert test.number_input("latency-slow-jitter_ms").value == 200.0
    assert test.slider("latency-slow-probability").value == 0.5


def test_a_refused_fault_shows_the_reason(open_page: Open) -> None:
    """What the control endpoint says against a fault stands on the page."""
    world = lively()
    world.refuse = (422, "fault 'latency' refused: delay_ms must be above 0")
    test = open_page(world, "faults")
    next(button for button in test.button if button.label == "Light the fault").click().run()
    assert "delay_ms must be above 0" in said(test)


def test_is_it_really_active_answers_from_counters(open_page: Open) -> None:
    """An active fault is proven by its hits and by how its effect moved in Prometheus."""
    words = said(open_page(lively(), "faults"))
    assert "Yes: it has acted 52 times. Share of 5xx answers: 0 % → " in words


def test_alerts_show_stages_due_time_and_notifications(open_page: Open) -> None:
    """A pending alert shows when it is due; reached stages carry times; delivered notifications are listed."""
    words = said(open_page(lively(), "alerts"))
    assert "1 firing, 1 pending, 2 inactive" in words
    assert "Due to fire at" in words
    assert "✓ pending<span>+0.2 s</span>" in words
    assert "p95 is above 1 s" in words


def test_a_trace_in_the_address_is_drawn_with_its_events(open_page: Open) -> None:
    """?trace= opens one trace: spans in order, the injected fault, attribute values escaped."""
    test = open_page(lively(), "traces", trace=f"{3:032x}")
    words = said(test)
    order = [box.label.split(" ")[1] for box in test.expander]
    assert order == ["POST", "preprocess", "queue", "model_prediction", "drift"]
    assert "fault.injected" in words
    assert "&lt;script&gt;" in words
    assert "<script>" not in words


def test_log_records_stand_with_their_span(open_page: Open) -> None:
    """Those that name a span of the trace open with it, others stand below; other traces' records stay away."""
    world = lively()
    known = next(each for each in world.traces if each["traceID"] == f"{3:032x}")["spans"]
    assert isinstance(known, list)
    for place, (trace_id, span_id, body) in enumerate(
        (
            (f"{3:032x}", known[0]["spanID"], "of the <b>root</b>"),
            (f"{3:032x}", "", "of none"),
            ("f" * 32, "", "foreign"),
        )
    ):
        world.logs.append(
            {"traceID": trace_id, "spanID": span_id, "timestamp": 10**15 + place, "severity": "INFO", "body": body}
        )
    test = open_page(world, "traces", trace=f"{3:032x}")
    assert not test.exception
    assert "of the &lt;b&gt;root&lt;/b&gt;" in "".join(each.value for each in test.expander[0].markdown)
    assert "of none" in said(test)
    assert "foreign" not in said(test)


def test_an_unknown_trace_is_said_to_be_unknown(open_page: Open) -> None:
    """An address with a trace that the store does not have shows words, not a traceback."""
    test = open_page(lively(), "traces", trace="f" * 32)
    assert not test.exception
    assert test.error


def test_filters_reach_the_trace_store(open_page: Open) -> None:
    """The chosen filters become the store's search."""
    world = lively()
    test = open_page(world, "traces")
    test.toggle("errors").set_value(True).run()
    test.selectbox("fault").set_value("latency").run()
    search = [each.query for each in world.asked if each.path == "/api/traces"][-1]
    assert search["service"] == "firedrill"
    assert '"error":"true"' in search["tags"].replace(" ", "")
    assert '"fault.kind":"latency"' in search["tags"].replace(" ", "")


def test_running_a_drill_opens_its_run(open_page: Open) -> None:
    """The run button starts the drill by name and shows the run, whose id then stands in the address."""
    world = lively()
    test = open_page(world, "drills")
    test.button("run-error-burst").click().run()
    body = next(each.body for each in world.asked if (each.method, each.path) == ("POST", "/drills/runs"))
    assert body["name"] == "error-burst"
    assert test.query_params["run"] in ("run-2", ["run-2"])
    assert "HighErrorRate is pending" in said(test)


def test_a_finished_run_shows_its_verdict_and_stages(open_page: Open) -> None:
    """A passed run says so, with every stage timed from the fault."""
    words = said(open_page(lively(), "drills", run="run-1"))
    assert "**Passed.** HighLatency fired after 23 s" in words
    assert '<td >resolved</td><td class="num">+52.0 s</td>' in words
    assert "as expected" in words


def test_a_run_can_be_aborted(open_page: Open) -> None:
    """The abort button of a running drill reaches the conductor."""
    world = lively()
    test = open_page(world, "drills", run="run-2")
    test.button("abort").click().run()
    assert "/drills/runs/run-2/abort" in [each.path for each in world.asked if each.method == "POST"]


def test_a_source_that_stops_answering_is_stale_and_its_last_values_stay(open_page: Open) -> None:
    """The tiles keep the last values, the page says how old they are, and why there are no newer ones."""
    world = lively()
    test = open_page(world)
    world.failing = frozenset({"prometheus"})
    from panel import deps  # noqa: PLC0415 - seconds of import, which only its worker pays

    deps.sources().board.expire()
    test.run()
    words = said(test)
    assert "! stale" in words
    assert "Stale: this is what Prometheus said" in words
    assert "starting up" in words or "503" in words
    assert [tile.label for tile in test.metric] == [signal.title for signal in SIGNALS]


def test_a_second_viewer_shares_the_first_ones_answers(open_page: Open) -> None:
    """While an answer is still young, another browser is shown it without a question to Prometheus."""
    world = lively()
    open_page(world)
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - seconds of import, which only its worker pays

    from panel import deps  # noqa: PLC0415 - as above

    shared = deps.sources()
    kept = [each for feeds in (shared.boards, shared.story, shared.dots) for each in feeds._feeds.values()]
    for feed in (shared.board, *kept):
        feed._due = math.inf
    world.asked.clear()
    other = AppTest.from_file(APP, default_timeout=30).run()
    assert len(other.metric) == len(SIGNALS)
    assert [each.path for each in world.asked if each.path.endswith("/query_range")] == []


def test_the_stack_that_is_down_is_shown_as_down(open_page: Open, tmp_path: Path) -> None:
    """Without a supervisor the overview says how to start the stack."""
    assert read_status(Home(tmp_path)).state == "down"
    assert "The stack is down. Start it with `firedrill up`." in said(open_page(lively()))
