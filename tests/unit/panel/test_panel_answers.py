"""What the pages say of places, proofs, reasons, predictions, reports and the journal, against a canned stack."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canned_stack import World, speaking
from canned_worlds import kind, lively

from faults.base import Effect, FaultKind
from faults.drills.evidence import Evidence
from faults.drills.reasons import Trend, Why
from faults.drills.report.batch import batch_of
from faults.drills.wire import DrillInfo, JournalEntry, StageCheck
from panel import downloads
from tests.levels import thorough

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

Open = Callable[..., "AppTest"]

APP = Path(downloads.__file__).with_name("app.py")


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that serves a world and opens a page of the panel on it."""
    import streamlit as st  # noqa: PLC0415 - seconds of import, which only its worker pays
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - as above
    from streamlit.util import calc_hash  # noqa: PLC0415 - as above

    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path))
    monkeypatch.setenv("FIREDRILL_PACE", "workshop")
    with ExitStack() as stack:

        def opened(world: World, page: str, **query: str) -> AppTest:
            monkeypatch.setenv("FIREDRILL_PORT_OFFSET", str(stack.enter_context(speaking(world))))
            st.cache_resource.clear()
            test = AppTest.from_file(APP, default_timeout=30)
            test.query_params.update(query)
            test._page_hash = calc_hash(page)
            return test.run()

        yield opened
    st.cache_resource.clear()


def said(test: AppTest) -> str:
    """Return everything that a page says in words."""
    groups = (test.markdown, test.caption, test.subheader, test.info, test.success, test.warning, test.error)
    return "\n".join(str(element.value) for group in groups for element in group).replace("\u00a0", " ")


def of_place(place: str, name: str, **more: object) -> FaultKind:
    """Return a kind of fault that is held at ``place``."""
    effect = Effect(promql="up", moves="down", meaning="Share of targets up", unit="ratio")
    return kind(name, name.capitalize(), {"type": "object", "properties": {}}, effect, {}).model_copy(
        update={"place": place, **more}
    )


def test_kinds_stand_by_place_and_unavailable_ones_with_their_reason(open_page: Open) -> None:
    """The chosen place offers its own kinds; one that cannot be had here is named with the reason, not offered."""
    world = lively()
    world.kinds += [
        of_place("stack", "crash"),
        of_place("stack", "kill", available=False, unavailable_because="the service is no container here"),
    ]
    test = open_page(world, "faults")
    test.button_group("place").set_value("stack").run()
    assert list(test.button_group("kind-stack").options) == ["Crash"]
    assert "**Kill**: the service is no container here" in said(test)
    next(button for button in test.button if button.label == "Light the fault").click().run()
    body = next(each.body for each in world.asked if (each.method, each.path) == ("POST", "/faults"))
    assert (body["kind"], body["probability"], body["ramp_s"]) == ("crash", 1.0, 0.0)


def test_a_ramp_is_sent_and_the_operators_limits_bound_the_form(open_page: Open) -> None:
    """Time to live, probability and models end where the operator ended them; the ramp goes out as entered."""
    world = lively()
    limits = {"max_ttl_s": 40.0, "max_probability": 0.3, "allowed_models": ["iris"], "allowed_endpoints": ["/predict"]}
    world.kinds = [world.kinds[0].model_copy(update=limits)]
    test = open_page(world, "faults")
    assert (test.number_input("latency-defaults-ttl").max, test.number_input("latency-defaults-ttl").value) == (40, 40)
    assert test.slider("latency-defaults-probability").max == 0.3
    assert test.selectbox("latency-defaults-model").options == ["iris"]
    test.number_input("latency-defaults-ramp").set_value(12.0)
    next(button for button in test.button if button.label == "Light the fault").click().run()
    body = next(each.body for each in world.asked if (each.method, each.path) == ("POST", "/faults"))
    assert (body["ramp_s"], body["probability"], body["ttl_s"]) == (12.0, 0.3, 40.0)


@pytest.mark.parametrize("unproven", [(), ("the service does not answer",)])
def test_the_button_shows_its_proof(open_page: Open, unproven: tuple[str, ...]) -> None:
    """What was looked at stands below the button; what is not proven is said loudly, with the reason."""
    world = lively()
    world.unproven = unproven
    test = open_page(world, "overview")
    test.button("reset").click().run()
    words = said(test)
    assert "no fault acts &lt;any more&gt;" in words
    assert ("Proven in" in words) == (not unproven)
    alarms = [each.value for each in test.error if "Not proven" in each.value]
    assert ["does not answer" in alarm for alarm in alarms] == [True] * len(unproven)


def test_why_is_answered_with_values_trend_and_blame(open_page: Open) -> None:
    """One alert's page says the conductor's sentence, the value against the threshold, and what selects nothing."""
    world, now = lively(), time.time()
    trend = Trend(
        expression="a / b", operator=">", threshold=0.05, value=0.02, crosses_in_s=30.0,
        points=[(now - 20, 0.01), (now - 10, 0.015), (now, 0.02)],
    )  # fmt: skip
    world.reasons = [
        Why(alert="HighLatency", at=now, reason="silenced", sentence="a silence of ops mutes it", trends=[trend],
            details=["silence 7 ends in 3 min"])
    ]  # fmt: skip
    words = said(open_page(world, "alerts", alert="HighLatency"))
    assert "**Silenced.** A silence of ops mutes it" in words
    assert "silence 7 ends in 3 min" in words
    assert "Value now **0.02**, must be > 0.05 · at this rate it would hold in 30 s" in words
    assert "**In its last drill**: Slow responses" in words


def test_a_run_shows_predictions_and_offers_its_report(open_page: Open) -> None:
    """Measured stands next to predicted with a tick and the cause; the kept evidence can be taken along."""
    world = lively()
    run = world.runs[1]
    check = StageCheck(stage="firing", measured_s=23.2, earliest_s=20.0, latest_s=26.0, within=True, cause="`for` 20 s")
    run.outcomes[0].checks = [check]
    world.kept = [Evidence(run=run, gathered_at=1.0, start=run.queued_at, end=run.queued_at + 80, step_s=1.0)]
    test = open_page(world, "drills", run="run-1")
    assert not test.exception
    words = said(test)
    assert "20.0 to 26.0 s" in words
    assert "for 20 s" in words
    labels = [getattr(button, "label", "") for button in test.get("download_button")]
    assert labels[:5] == ["HTML", "Markdown", "JUnit", "JSON", "CSV"]


def test_every_download_holds_what_its_ending_says() -> None:
    """Each file of a run is rendered by the report's renderer and begins as its kind does."""
    run = lively().runs[1]
    evidence = Evidence(run=run, gathered_at=1.0, start=run.queued_at, end=run.queued_at + 80, step_s=1.0)
    files = {each.name: each.content() for each in downloads.of_run(evidence, batch_of([evidence], "One"), "x")}
    begins = {"x.html": b"<!doctype html", "x.md": b"# One", "x.xml": b"<?xml", "x.csv": b"run,", "x.json": b"{"}
    for name, beginning in begins.items():
        assert files[name].lower().startswith(beginning.lower()), name
    assert files["x-alarm.png"].startswith(b"\x89PNG")
    assert Evidence.model_validate_json(files["x.json"]) == evidence


def test_two_runs_are_compared_stage_by_stage(open_page: Open) -> None:
    """Choosing another run shows each stage of both with the difference."""
    world = lively()
    first = world.runs[1]
    later = first.model_copy(update={"id": "run-0", "fault_at": (first.fault_at or 0.0) - 5, "verdict": "failed"})
    world.runs.append(later)
    test = open_page(world, "drills", run="run-1")
    test.selectbox("compare-run-1").set_value("run-0").run()
    assert "run-0 (failed)" in said(test)
    assert '<td class="num">+23.2 s</td><td class="num">+28.2 s</td><td class="num">+5.0 s</td>' in said(test)


def test_a_drill_that_cannot_run_here_says_why(open_page: Open) -> None:
    """Its button is off, and the reason is the one of its kind of fault."""
    world = lively()
    world.kinds[1] = world.kinds[1].model_copy(update={"available": False, "unavailable_because": "it is forbidden"})
    test = open_page(world, "drills")
    assert test.button("run-error-burst").disabled
    assert not test.button("run-slow-responses").disabled
    assert "Not here: error: it is forbidden" in said(test)


def test_a_seed_goes_with_the_drill(open_page: Open) -> None:
    """What stands in the seed's field is sent with the start."""
    world = lively()
    test = open_page(world, "drills")
    test.number_input("seed").set_value(42).run()
    test.button("run-error-burst").click().run()
    body = next(each.body for each in world.asked if (each.method, each.path) == ("POST", "/drills/runs"))
    assert (body["name"], body["seed"]) == ("error-burst", 42)


def test_all_drills_run_one_after_another_with_a_summary(open_page: Open) -> None:
    """The round runs what can run, skips what cannot, and sums up with precision and recall."""
    world = lively()
    done = world.runs[1]
    world.runs = [done]
    world.kept = [Evidence(run=done, gathered_at=1.0, start=done.queued_at, end=done.queued_at + 80, step_s=1.0)]
    world.kinds[1] = world.kinds[1].model_copy(update={"available": False, "unavailable_because": "it is forbidden"})
    world.drills.append(
        DrillInfo(name="x", title="X", description="", kinds=["latency"], alerts=["HighLatency"], estimate_s=1.0)
    )
    test = open_page(world, "drills")
    test.button("run-all").click().run()
    from panel import deps  # noqa: PLC0415 - seconds of import, which only its worker pays

    rounds = deps.sources().rounds
    deadline = time.monotonic() + 30
    while not (rounds.progress and rounds.progress.over) and time.monotonic() < deadline:
        time.sleep(0.05)
    test.run()
    assert rounds.progress is not None
    assert [case.standing for case in rounds.progress.batch.cases] == ["skipped", "passed", "passed"]
    tiles = {tile.label: tile.value for tile in test.metric}
    assert (tiles["Precision"], tiles["Recall"], tiles["Drills skipped"]) == ("100%", "100%", "1")
    labels = [getattr(button, "label", "") for button in test.get("download_button")]
    assert labels == ["HTML", "Markdown", "JUnit", "JSON"]


def test_the_journal_is_filtered_by_who_and_by_words(open_page: Open) -> None:
    """Lines carry who did what to which; the filters leave those that were asked for."""
    world = lively()
    world.entries = [
        JournalEntry(id=2, at=20.0, actor="panel", action="fault_lit", subject="e1", facts={"kind": "<error>"}),
        JournalEntry(id=1, at=10.0, actor="cli:ops", action="drill_started", subject="run-1"),
    ]
    test = open_page(world, "journal")
    assert "fault lit" in said(test)
    assert "kind: &lt;error&gt;" in said(test)
    test.text_input("words").set_value("drill started").run()
    assert "fault lit" not in said(test)
    assert "cli:ops" in said(test)
    test.text_input("words").set_value("").run()
    test.selectbox("actor").set_value("panel").run()
    assert "drill started" not in said(test)
    assert "fault lit" in said(test)


@thorough
def test_a_round_can_be_stopped(open_page: Open) -> None:
    """Stopping aborts the drill under way and starts none after it."""
    world = lively()
    running = world.runs[0]
    world.runs = [running]
    test = open_page(world, "drills")
    test.button("run-all").click().run()
    from panel import deps  # noqa: PLC0415 - seconds of import, which only its worker pays

    rounds = deps.sources().rounds
    deadline = time.monotonic() + 30
    while not (rounds.progress and rounds.progress.run_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    test.run()
    test.button("stop-round").click().run()
    while not [each for each in world.asked if each.path.endswith("/abort")] and time.monotonic() < deadline:
        time.sleep(0.02)
    world.runs[0] = running.model_copy(update={"phase": "done", "verdict": "aborted"})
    while not (rounds.progress and rounds.progress.over) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert rounds.progress is not None
    assert [case.standing for case in rounds.progress.batch.cases] == ["aborted", "not run"]
    assert rounds.progress.batch.interrupted
