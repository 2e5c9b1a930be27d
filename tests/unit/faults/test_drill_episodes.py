"""Lives of alerts out of raw samples: what is one life, what are two, and what counts as noticing a fault."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.episodes import Episode, condition_since, episodes, merge, settle
from faults.drills.stages import current_life, detection, stage_times
from faults.drills.watch import Receipt
from faults.drills.wire import Notification
from stack.clients.prometheus import Series

T0 = 1_000_000.4
IRIS = {"model_name": "iris"}
WHO = frozenset(IRIS.items())


def recorded(states: str, *, start: float = T0, interval_s: float = 1.0, alert: str = "A") -> tuple[Series, ...]:
    """Return what Prometheus writes for ``states``, one letter an evaluation: p(ending), f(iring), . for neither.

    ``?`` is an evaluation that was missed: no samples, and the alert lives on.
    """
    points: dict[str, list[tuple[float, float]]] = {"pending": [], "firing": [], "since": []}
    active_at = 0.0
    for index, letter in enumerate(states):
        time = start + index * interval_s
        if letter == ".":
            active_at = 0.0
        if letter in "pf":
            active_at = active_at or float(int(time))
            points["pending" if letter == "p" else "firing"].append((time, 1.0))
            points["since"].append((time, active_at))
    labels = {"alertname": alert, **IRIS}
    return (
        Series({"__name__": "ALERTS", "alertstate": "pending", **labels}, tuple(points["pending"])),
        Series({"__name__": "ALERTS", "alertstate": "firing", **labels}, tuple(points["firing"])),
        Series({"__name__": "ALERTS_FOR_STATE", **labels}, tuple(points["since"])),
    )


def lives(states: str) -> list[tuple[int | None, int | None, int]]:
    """Return pending, firing and last evaluation of each life in ``states``, as indices into it."""
    found = episodes(recorded(states), {"A": 1.0})
    return [(_index(one.pending), _index(one.firing), round(one.last_seen - T0)) for one in found]


def _index(time: float | None) -> int | None:
    return None if time is None else round(time - T0)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("....", []),
        ("..pp", [(2, None, 3)]),
        (".ppff", [(1, 3, 4)]),
        ("..ff", [(None, 2, 3)]),
        ("pp..pf", [(0, None, 1), (4, 5, 5)]),
        ("ppff.ppff", [(0, 2, 3), (5, 7, 8)]),
        ("pp?ff", [(0, 3, 4)]),
        ("ppf????ff", [(0, 2, 8)]),
        ("f.f", [(None, 0, 0), (None, 2, 2)]),
    ],
)
def test_a_life_is_one_unbroken_stretch(states: str, expected: list[tuple[int | None, int | None, int]]) -> None:
    """One empty evaluation ends a life; an evaluation that was merely missed does not."""
    assert lives(states) == expected


def test_without_the_state_series_a_gap_ends_a_life() -> None:
    """Where only ``ALERTS`` is there, more than one interval without a sample counts as an end."""
    only_alerts = recorded("ppf??ff")[:2]
    assert [_index(one.firing) for one in episodes(only_alerts, {"A": 1.0})] == [2, 5]


def test_alerts_without_a_loaded_rule_are_left_out() -> None:
    """Samples of a rule that was removed are nobody's."""
    assert episodes(recorded("pf"), {"B": 1.0}) == ()


@given(st.text(alphabet="pf.?", max_size=60), st.integers(0, 60), st.integers(1, 10))
def test_looking_in_pieces_sees_the_same_lives(states: str, cut: int, overlap: int) -> None:
    """Two overlapping windows, merged, give the lives that one look at everything gives."""
    cut = min(cut, len(states))
    whole = episodes(recorded(states), {"A": 1.0})
    series = recorded(states)

    def window(first: float, last: float) -> list[Series]:
        return [Series(one.labels, tuple(point for point in one.points if first <= point[0] <= last)) for one in series]

    early = episodes(window(0.0, T0 + cut), {"A": 1.0})
    late = episodes(window(T0 + cut - overlap, T0 + 100.0), {"A": 1.0})
    assert merge(early, late) == whole


@given(st.text(alphabet="pf.", min_size=1, max_size=60), st.integers(0, 60))
def test_what_began_before_the_fault_is_never_a_detection(states: str, fault: int) -> None:
    """Whatever the samples are, no life that was active before the fault counts, and every later one does."""
    fault_at = T0 + fault - 0.3
    found = episodes(recorded(states), {"A": 1.0})
    counted = detection(found, fault_at)
    for one in counted:
        began = round(one.started - T0)
        assert began >= fault
        assert began == 0 or states[began - 1] == "."
    if any(one.firing is not None and one.began >= fault_at for one in found):
        assert all(one.firing is not None for one in counted)
        assert counted


def test_a_life_whose_beginning_lies_outside_of_the_window_is_as_old_as_it_says() -> None:
    """A window that begins in mid-life does not make an old alert look new."""
    series = [
        Series(one.labels, tuple(point for point in one.points if point[0] > T0 + 5)) for one in recorded("p" + "f" * 9)
    ]
    (life,) = episodes(series, {"A": 1.0})
    assert life.started == pytest.approx(T0 + 6)
    assert life.began == int(T0)
    assert detection([life], T0 + 3) == ()


def settled(states: str, *, active: bool, evaluated: float) -> Episode:
    """Return the only life in ``states`` after settling it with what the rule said."""
    (life,) = settle(
        episodes(recorded(states), {"A": 1.0}), {"A": frozenset({WHO} if active else ())}, {"A": evaluated}, {"A": 1.0}
    )
    return life


def test_resolved_is_the_first_evaluation_without_the_alert() -> None:
    """One interval after the last sample, once the rule was evaluated later and has the alert no more."""
    assert settled("pff", active=False, evaluated=T0 + 3.01).resolved == pytest.approx(T0 + 3)


def test_nothing_is_resolved_while_the_rule_lists_it_or_was_not_evaluated_since() -> None:
    """A late evaluation, or one that the look has not seen yet, ends nothing."""
    assert settled("pff", active=True, evaluated=T0 + 3.01).resolved is None
    assert settled("pff", active=False, evaluated=T0 + 2.1).resolved is None


def life(
    *, pending: float, firing: float | None, resolved: float | None = None, labels: dict[str, str] = IRIS
) -> Episode:
    """Return an episode."""
    last = resolved or firing or pending
    return Episode("A", frozenset(labels.items()), pending, pending, pending, firing, last, resolved)


def told(status: str, *, at: float, starts_at: float, labels: dict[str, str] = IRIS) -> Notification:
    """Return a notification; Alertmanager adds external labels."""
    return Notification.model_validate(
        {
            "id": 1,
            "at": at,
            "status": status,
            "alert": "A",
            "annotations": {},
            "starts_at": starts_at,
            "labels": {"alertname": "A", "cluster": "x", **labels},
            "ends_at": None,
            "group_key": "",
            "receiver": "r",
        }
    )


def receipt(*, at: float, starts_at: float) -> Receipt:
    """Return what Alertmanager held."""
    return Receipt({"alertname": "A", "cluster": "x", **IRIS}, starts_at, at)


def test_every_stage_has_its_time() -> None:
    """A whole life with its receipt and both deliveries."""
    stages = stage_times(
        [life(pending=10.0, firing=30.0, resolved=50.0)],
        [receipt(at=30.1, starts_at=30.0)],
        [told("firing", at=32.0, starts_at=30.0), told("resolved", at=54.0, starts_at=30.0)],
        condition_true=9.6,
    )
    assert list(stages.model_dump().values()) == [9.6, 10.0, 30.0, 30.1, 32.0, 32.0, 50.0, 54.0]


def test_what_was_delivered_of_another_life_does_not_count() -> None:
    """Receipts and notifications belong to the firing whose start they carry, and to its labels."""
    stages = stage_times(
        [life(pending=10.0, firing=30.0)],
        [receipt(at=5.0, starts_at=4.0)],
        [
            told("firing", at=5.0, starts_at=4.0),
            told("resolved", at=31.0, starts_at=4.0),
            told("firing", at=32.0, starts_at=30.0, labels={"model_name": "churn"}),
        ],
    )
    assert (stages.received, stages.delivered, stages.resolution_delivered) == (None, None, None)


def test_a_receipt_that_was_seen_late_is_no_later_than_the_delivery() -> None:
    """Alertmanager's time of update moves on with each resend; what was delivered had come by then."""
    stages = stage_times(
        [life(pending=10.0, firing=30.0)],
        [receipt(at=34.0, starts_at=30.0)],
        [told("firing", at=32.0, starts_at=30.0)],
    )
    assert stages.received == 32.0


def test_of_many_instances_the_first_fires_and_the_last_resolves() -> None:
    """An alert with two models is resolved when both are, and not delivered as resolved before."""
    churn = {"model_name": "churn"}
    both = [life(pending=1.0, firing=2.0, resolved=9.0), life(pending=3.0, firing=4.0, resolved=12.0, labels=churn)]
    notes = [told("firing", at=2.5, starts_at=2.0), told("resolved", at=9.5, starts_at=2.0)]
    stages = stage_times(both, (), notes)
    assert (stages.pending, stages.firing, stages.delivered, stages.resolved) == (1.0, 2.0, 2.5, 12.0)
    assert stages.resolution_delivered is None
    burning = [both[0], life(pending=3.0, firing=4.0, labels=churn)]
    assert stage_times(burning, (), notes).resolved is None


def test_the_current_life_is_what_burns_or_else_what_burned_last() -> None:
    """Active instances come before any that ended; of those the latest counts."""
    old, newer, burning = (
        life(pending=1.0, firing=2.0, resolved=3.0),
        life(pending=5.0, firing=6.0, resolved=7.0),
        life(pending=6.0, firing=None),
    )
    assert current_life([old, newer]) == (newer,)
    assert current_life([old, newer, burning]) == (burning,)
    assert current_life([]) == ()


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([9.0, 9.5, 10.0], 9.0),
        ([7.0, 9.5, 10.0], 9.5),
        ([10.0], 10.0),
        ([], 10.0),
        ([9.5], 9.5),
        ([9.5, 10.0, 10.5, 11.0], 9.5),
    ],
)
def test_the_condition_is_as_old_as_its_unbroken_truth(points: Sequence[float], expected: float) -> None:
    """Walking back from the first pending evaluation, the first gap is where it became true."""
    assert condition_since(points, 10.0, 0.5) == expected
