"""Each condition of the tour, met and not met, on scenes that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from canned_stack import fault
from canned_worlds import alert

from faults.base import FaultRecord, Target
from faults.drills.wire import AlertStatus
from panel.queries import SIGNALS, Board, SignalSeries
from panel.readings import Reading
from panel.workshop import lesson
from panel.workshop.conditions import Sight, findings, is_done, judge
from panel.workshop.exercise import (
    AlertReached,
    AlertSilent,
    Clean,
    Exercise,
    Hit,
    Light,
    Loaded,
    Seen,
    SignalKept,
    SignalSeen,
    Step,
    TraceFound,
    TraceLeft,
)
from panel.workshop.memory import Finding, Memory
from panel.workshop.scene import Scene
from stack.clients.traces import Span, SpanEvent, Trace
from stack.pace import WORKSHOP

NOW, LIT = 1000.0, 940.0
LIGHT = Light(label="slow", kind="latency", target=Target(model="iris"))
P95 = SignalSeen(see="signal", signal="p95", above=1.0, says="p95")
KEPT = SignalKept(see="kept", signal="errors", below=0.05, says="errors")
HIT = Hit(see="hit", says="hit")
FIRES = AlertReached(see="alert", alert="HighLatency", stage="firing", says="fires")
SILENT = AlertSilent(see="silent", alert="Quiet", says="silent")
LOADED = Loaded(see="loaded", alerts=("Quiet",), says="loaded")
LEFT = TraceLeft(see="trace", says="trace")
FOUND = TraceFound(see="found", span="model_prediction", fault="latency", says="found")
CLEAN = Clean(see="clean", alerts=("HighLatency",), says="clean")


def lit(*, hits: int = 5, ended_at: float | None = None) -> FaultRecord:
    """Return the exercise's fault, lit a minute ago."""
    return fault("f1", "latency", LIT, 120.0, hits=hits, ended_at=ended_at)


def board(**values: tuple[float | None, ...]) -> Board:
    """Return a board whose named signals have these newest values, one a second."""
    series = []
    for signal in SIGNALS:
        points = values.get(signal.key, ())
        series.append(SignalSeries(signal, NOW - len(points) + 1, 1.0, points))
    return Board(NOW - 300, NOW, tuple(series), service_up=True)


def span(name: str, kind: str = "") -> Span:
    """Return a span, hit by a fault of this kind."""
    events = (SpanEvent(LIT, "fault.injected", {"fault.kind": kind}),) if kind else ()
    return Span("s", None, name, "firedrill", LIT + 2, 0.1, {}, events, error=False)


def trace(name: str = "model_prediction", kind: str = "") -> Trace:
    """Return a trace of one span."""
    return Trace("t" * 32, (span(name, kind),))


def known(*alerts: AlertStatus) -> dict[str, AlertStatus]:
    """Return alerts by name."""
    return {each.alert: each for each in alerts}


FIRING = alert("HighLatency", "firing", "It fires.", condition_true=LIT + 3, pending=LIT + 3, firing=LIT + 23)
PENDING = alert("HighLatency", "pending", "Pending for 3 s of 20 s.", condition_true=LIT + 3, pending=LIT + 3)
EARLIER = alert("HighLatency", "firing", "It fires.", condition_true=LIT - 90, pending=LIT - 90, firing=LIT - 60)
CALM = alert("HighLatency", "inactive", "Condition is not true.")
QUIET = alert("Quiet", "inactive", "Condition is not true.")
SCENE = Scene(NOW, WORKSHOP, board(), [lit()], known(CALM), lambda _kind: ())
UNLIT = replace(SCENE, records=[])
DARK = replace(SCENE, board=None, alerts=None, hit_traces=lambda _kind: None)


def entered(one: Trace | None) -> Scene:
    """Return a scene in which the viewer has entered a trace, one that is not known for ``None``."""
    problem = None if one else "there is no such trace"
    return replace(SCENE, found=Reading("the trace store", one, NOW, problem))


@pytest.mark.parametrize(
    ("seen", "scene", "state", "words"),
    [
        (P95, replace(SCENE, board=board(p95=(0.1, 1.6, 0.2))), "met", "rose to 1.60 s"),
        (P95, replace(SCENE, board=board(p95=(0.1, 0.3))), "waiting", "0.30 s"),
        (P95, replace(SCENE, board=board(p95=(9.0, *(0.1,) * 70))), "waiting", "0.10 s"),  # before the fault was lit
        (P95, UNLIT, "waiting", "not been lit"),
        (P95, DARK, "unknown", "Prometheus"),
        (KEPT, replace(SCENE, board=board(errors=(0.0, 0.01))), "met", "1.0 %"),
        (KEPT, replace(SCENE, board=board(errors=(0.0, 0.4))), "broken", "40 %"),
        (KEPT, replace(SCENE, board=board(errors=(None,))), "waiting", "Not measured"),
        (KEPT, UNLIT, "waiting", "not been lit"),
        (KEPT, DARK, "unknown", "Prometheus"),
        (HIT, SCENE, "met", "acted 5 times"),
        (HIT, replace(SCENE, records=[lit(hits=0)]), "waiting", "not acted"),
        (HIT, UNLIT, "waiting", "not been lit"),
        (FIRES, replace(SCENE, alerts=known(FIRING)), "met", "23 s after"),
        (FIRES, replace(SCENE, alerts=known(PENDING)), "waiting", "Pending for 3 s"),
        (FIRES, replace(SCENE, alerts=known(EARLIER)), "broken", "before the fault"),
        (FIRES, replace(SCENE, alerts={}), "waiting", "no rule HighLatency"),
        (FIRES, UNLIT, "waiting", "not been lit"),
        (FIRES, DARK, "unknown", "conductor"),
        (SILENT, replace(SCENE, alerts=known(QUIET)), "met", "Inactive"),
        (SILENT, replace(SCENE, alerts=known(QUIET.model_copy(update={"state": "firing"}))), "broken", "fires"),
        (SILENT, SCENE, "waiting", "not loaded"),
        (SILENT, DARK, "unknown", "conductor"),
        (LOADED, replace(SCENE, alerts=known(QUIET)), "met", "Quiet"),
        (LOADED, SCENE, "waiting", "Quiet"),
        (LOADED, DARK, "unknown", "conductor"),
        (LEFT, replace(SCENE, hit_traces=lambda _kind: (trace(kind="latency"),)), "met", "1 trace"),
        (LEFT, SCENE, "waiting", "None"),
        (LEFT, DARK, "unknown", "trace store"),
        (FOUND, entered(trace(kind="latency")), "met", "model_prediction"),
        (FOUND, entered(trace()), "waiting", "not hit"),
        (FOUND, entered(trace("GET /health")), "waiting", "no span"),
        (FOUND, entered(None), "waiting", "no such trace"),
        (FOUND, SCENE, "waiting", "Enter"),
        (CLEAN, replace(SCENE, records=[lit(ended_at=NOW - 5)]), "met", "quiet: HighLatency"),
        (CLEAN, SCENE, "waiting", "Burning: latency"),
        (CLEAN, replace(SCENE, records=[lit(ended_at=NOW - 5)], alerts=known(FIRING)), "waiting", "Not quiet"),
        (CLEAN, UNLIT, "waiting", "nothing has been lit"),
        (CLEAN, replace(DARK, records=[lit(ended_at=NOW - 5)]), "unknown", "conductor"),
    ],
)  # fmt: skip
def test_a_condition_is_judged_on_what_is_there(seen: Seen, scene: Scene, state: str, words: str) -> None:
    """Met, waiting, broken or not known, each with what was found in words."""
    record = scene.records[0] if scene.records else None
    finding = judge(seen, Sight(scene, LIGHT, record))
    assert finding.state == state
    assert words in finding.words.replace("\u00a0", " ")


def test_without_a_fault_to_follow_the_newest_value_counts() -> None:
    """The first exercise lights nothing: its signals are those of now, and calm is enough to be clean."""
    scene = replace(UNLIT, board=board(rate=(0.0, 4.8)))
    arrives = SignalSeen(see="signal", signal="rate", above=0.5, says="requests")
    assert judge(arrives, Sight(scene, None, None)).state == "met"
    assert judge(arrives, Sight(replace(scene, board=board(rate=(4.8, 0.0))), None, None)).state == "waiting"
    assert judge(CLEAN, Sight(scene, None, None)).state == "met"


def exercise(*seen: Seen) -> Exercise:
    """Return an exercise with these conditions."""
    return Exercise(
        number=9, title="t", minutes=1, goal="g", lights={"slow": LIGHT}, steps=(Step(do="d"),), seen=seen, proof="p",
        question="q", answer="a",
    )  # fmt: skip


def test_what_was_met_stays_met_for_this_lighting_and_for_everyone() -> None:
    """A peak that has left the window still counts; a new lighting begins anew; clean is never remembered."""
    memory, made = Memory(), exercise(P95, CLEAN)
    burning = replace(SCENE, board=board(p95=(1.6,)))
    assert [each.state for each in findings(made, burning, memory)] == ["met", "waiting"]
    over = replace(SCENE, records=[lit(ended_at=NOW - 5)])
    later = findings(made, over, memory)
    assert is_done(later)
    assert "1.60" in later[0].words
    again = replace(over, records=[lit().model_copy(update={"id": "f2", "started_at": NOW - 1})])
    assert [each.state for each in findings(made, again, memory)] == ["waiting", "waiting"]


def test_without_the_conductor_nothing_is_claimed() -> None:
    """Who cannot say whether the fault was lit cannot say what it did."""
    found = findings(exercise(P95, HIT, CLEAN), replace(SCENE, records=None), Memory())
    assert {each.state for each in found} == {"unknown"}
    assert not is_done(found)


def test_the_memory_forgets_the_oldest() -> None:
    """It does not grow for ever."""
    memory = Memory(limit=2)
    for number in range(3):
        memory.keep((1, number, "a"), Finding("met", "yes"))
    assert memory.keep((1, 0, "a"), Finding("waiting", "no")).state == "waiting"
    assert memory.keep((1, 2, "a"), Finding("waiting", "no")).state == "met"


def test_the_list_says_every_state_in_words_beside_its_sign() -> None:
    """No state is told by colour alone, and what was found is escaped."""
    made = exercise(HIT, HIT, HIT, HIT)
    found = [Finding(state, f"<{state}>") for state in lesson.LOOKS]
    words = lesson.checklist(made, found)
    for state, shown in lesson.LOOKS.items():
        assert shown.symbol in words
        assert f"{shown.word} · &lt;{state}&gt;" in words
