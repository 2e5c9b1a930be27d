"""Schedules: what is lit when, from delays, successors, repetitions and a seed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.errors import BadDrill
from faults.drills.parts import FaultStep
from faults.drills.schedule import MOST_LIGHTINGS, expand
from faults.drills.spec import parse_drill
from stack.pace import PRODUCTION, WORKSHOP


def step(**given: object) -> FaultStep:
    """Return a step with a life time of five minutes unless another is given."""
    return FaultStep.model_validate({"kind": "error", "ttl": "5m", **given})


def test_steps_begin_at_their_delay_and_after_the_end_of_another() -> None:
    """``at`` counts from the start, or from when the step before is put out, or else has ended by itself."""
    steps = [
        step(name="third", after="second", at="10s"),
        step(name="first", at="30s", lasts="1m"),
        step(name="second", after="first"),
    ]
    found = [(one.step, one.at_s, one.put_out_at_s, one.ends_at_s) for one in expand(steps, seed=1)]
    assert found == [(1, 30.0, 90.0, 90.0), (2, 90.0, None, 390.0), (0, 400.0, None, 700.0)]


def test_every_time_but_the_parameters_is_divided_by_the_pace() -> None:
    """Start, end, life time and ramp are production time; a delay in milliseconds is the fault's own."""
    steps = [step(kind="latency", parameters={"delay_ms": 150}, at="30s", lasts="1m", ramp="45s")]
    (one,) = expand(steps, seed=1, pace=WORKSHOP)
    assert (one.at_s, one.put_out_at_s) == (2.0, 6.0)
    assert (one.request.ttl_s, one.request.ramp_s, one.request.parameters) == (20.0, 3.0, {"delay_ms": 150})


@given(seed=st.integers(0, 2**48), jitter=st.integers(0, 60))
def test_what_comes_again_follows_from_the_seed_and_never_overlaps(seed: int, jitter: int) -> None:
    """The same seed gives the same times and dice; each start is within its jitter and after the end before."""
    steps = [step(lasts="1m", repeat={"times": 5, "every": "2m", "jitter": f"{jitter}s"})]
    found = expand(steps, seed=seed)
    assert found == expand(steps, seed=seed)
    assert len({one.request.seed for one in found}) == 5
    for index, one in enumerate(found):
        assert 0.0 <= one.at_s - index * 120.0 <= jitter
    for before, after in itertools.pairwise(found):
        assert before.ends_at_s <= after.at_s


def test_another_seed_gives_other_times_and_other_dice() -> None:
    """Unless the step has a seed of its own, which then counts up."""
    steps = [step(lasts="1m", repeat={"times": 3, "every": "2m", "jitter": "1m"})]
    one, other = expand(steps, seed=1), expand(steps, seed=2)
    assert {each.at_s for each in one}.isdisjoint({each.at_s for each in other})
    assert {each.request.seed for each in one}.isdisjoint({each.request.seed for each in other})
    fixed = [steps[0].model_copy(update={"seed": 40})]
    assert [each.request.seed for each in expand(fixed, seed=1)] == [40, 41, 42]


def test_a_step_after_one_that_comes_again_waits_for_its_last_time() -> None:
    """The end of a step is the end of its last fault."""
    steps = [
        step(name="often", lasts="1m", repeat={"times": 3, "every": "2m"}),
        step(name="last", after="often"),
    ]
    assert expand(steps, seed=1, pace=PRODUCTION)[-1].at_s == 300.0


TEXT = """\
version: 1
name: small
title: A small drill
faults:
  - {kind: error, ttl: 10m, name: one}
  - kind: error
    ttl: 10m
    name: two
    after: one
expect: [{alert: HighErrorRate, firing_within: 8m, resolved_within: 8m}]
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "name: one}",
            "name: one, after: two}",
            "line 9: faults[1].after: the steps wait for each other: one after two",
        ),
        ("after: one", "after: two", "line 9: faults[1].after: the steps wait for each other: two after two"),
        ("after: one", "after: three", "line 9: faults[1].after: no step is named 'three'; named are: one, two"),
        ("name: two", "name: one", "line 8: faults[1].name: 'one' is the name of faults[0] already"),
        ("after: one", "at: 24h", "line 9: faults[1].at: it would end 87000 s after the start"),
        ("after: one", "lasts: 11m", "line 9: faults[1].lasts: longer than the fault's own ttl (600 s)"),
        ("after: one", "ramp: 11m", "line 9: faults[1].ramp: longer than the fault burns (600 s)"),
        (
            "after: one",
            "repeat: {times: 2, every: 5m}",
            "line 9: faults[1].repeat: a step that comes again needs `lasts`",
        ),
        (
            "after: one",
            "lasts: 2m\n    repeat: {times: 2, every: 3m, jitter: 2m}",
            "line 10: faults[1].repeat: it comes every 180 s, but burns for 120 s and may start 120 s late",
        ),
        ("after: one", "repeat: {times: 1, every: 3m}", "line 9: faults[1].repeat.times: input should be greater than"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_line_and_key(old: str, new: str, says: str) -> None:
    """Circles, unknown names, impossible times: each is said before anything burns."""
    assert old in TEXT
    with pytest.raises(BadDrill) as caught:
        parse_drill(TEXT.replace(old, new))
    assert any(says in problem for problem in caught.value.problems), caught.value.problems


def test_a_schedule_has_an_end() -> None:
    """Three steps of a hundred faults each are more than a drill lights."""
    again = "lasts: 1s, ttl: 1m, repeat: {times: 100, every: 2s}"
    steps = "".join(f"  - {{kind: error, {again}}}\n" for _ in range(3))
    text = TEXT[: TEXT.index("  - ")] + steps + TEXT[TEXT.index("expect") :]
    with pytest.raises(BadDrill, match=f"300 faults would be lit; at most {MOST_LIGHTINGS}"):
        parse_drill(text)
