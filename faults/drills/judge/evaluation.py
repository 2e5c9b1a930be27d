"""Has the engine evaluate rules in a world: over the whole range at once where it can, else time by time.

A range query finds at each step what an evaluation at that time would find, but for two things: it fails as a whole,
and ``@ start()`` means its own start. There, each time is asked for on its own, until the time for it is up.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from faults.drills.judge.alert_state import AlertStates, Life
from faults.drills.judge.clock import is_pinned, shifted
from faults.drills.judge.dependencies import PlannedRule
from faults.drills.judge.errors import QuestionRefused, TimeUp
from faults.drills.judge.identity import Identity
from faults.drills.judge.questions import Found, Questions
from faults.drills.judge.worlds import World
from faults.drills.virtual.recording import STALE_BITS, Labels
from stack.rules.file import AlertingRule, RecordingRule

STALE = np.uint64(STALE_BITS)
Written = tuple[Labels, NDArray[np.int64], NDArray[np.float64]]
"""A series to be written: labels, times of the recording in milliseconds, values."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What an expression found at the times of its evaluations, and at which it failed, and why."""

    series: tuple[Found, ...]
    failed: Mapping[int, str] = field(default_factory=dict)


def part_of(answer: Answer, times: range) -> Answer:
    """Return what ``answer`` says of ``times``, which are some of those that it was asked for."""
    found: list[Found] = []
    for one in answer.series:
        chosen = [(at_ms - times.start) % times.step == 0 for at_ms in one.times_ms]
        if any(chosen):
            found.append(Found(one.labels, tuple(compress(one.times_ms, chosen)), tuple(compress(one.values, chosen))))
    return Answer(tuple(found), {at_ms: reason for at_ms, reason in answer.failed.items() if at_ms in times})


class Evaluator:
    """Evaluates expressions by ``questions``; ``timeout_s`` is what one may take, over all times of one world.

    ``given_up`` are those that took too long although nothing else was asked for: they are not asked for again. Where
    others are (not ``alone``), time that is up says nothing of an expression, and is raised as ``TimeUp``.
    """

    def __init__(self, questions: Questions, *, timeout_s: float, given_up: dict[str, str], alone: bool) -> None:
        self._questions, self._timeout_s = questions, timeout_s
        self._given_up, self._alone = given_up, alone

    def gave_up(self, expr: str) -> bool:
        """Return whether ``expr`` took too long before."""
        return expr in self._given_up

    def over(self, expr: str, world: World, times: range, *, offset_ms: int = 0) -> Answer:
        """Return what ``expr`` finds in ``world`` at ``times``; ``offset_ms`` is how far back it is asked for."""
        if not times:
            return Answer(())
        if expr in self._given_up:
            return Answer((), dict.fromkeys(times, self._given_up[expr]))
        asked = shifted(expr, world.shift_ms // 1000)
        move_ms = world.shift_ms - offset_ms
        if is_pinned(expr):
            return self._one_by_one(expr, asked, times, move_ms)
        try:
            with self._bounded(expr, len(times)):
                found = self._questions.over(asked, times[0] + move_ms, times[-1] + move_ms, times.step)
        except QuestionRefused as error:
            if error.kind == "execution":
                return self._one_by_one(expr, asked, times, move_ms)
            return Answer((), dict.fromkeys(times, error.reason))
        return Answer(tuple(_moved(one, -move_ms) for one in found))

    def at(self, expr: str, world: World, at_ms: int, *, offset_ms: int = 0) -> tuple[Found, ...]:
        """Return what ``expr`` finds in ``world`` at one time; raise ``QuestionRefused``."""
        if expr in self._given_up:
            raise QuestionRefused("timeout", self._given_up[expr])
        move_ms = world.shift_ms - offset_ms
        with self._bounded(expr, 1):
            found = self._questions.at(shifted(expr, world.shift_ms // 1000), at_ms + move_ms)
        return tuple(_moved(one, -move_ms) for one in found)

    def _one_by_one(self, expr: str, asked: str, times: range, move_ms: int) -> Answer:
        deadline = time.monotonic() + self._timeout_s
        parts: dict[Labels, Found] = {}
        failed: dict[int, str] = {}
        try:
            for count, at_ms in enumerate(times, 1):
                found: tuple[Found, ...] = ()
                try:
                    with self._bounded(expr, count):
                        found = self._questions.at(asked, at_ms + move_ms)
                        _in_time(deadline)
                except QuestionRefused as error:
                    if error.kind == "timeout":
                        raise
                    failed[at_ms] = error.reason
                for one in found:
                    key = _labels(one.labels)
                    before = parts.get(key, Found(one.labels, (), ()))
                    parts[key] = Found(one.labels, (*before.times_ms, at_ms), before.values + one.values)
        except QuestionRefused as error:
            return Answer((), dict.fromkeys(times, error.reason))
        return Answer(tuple(parts.values()), failed)

    @contextmanager
    def _bounded(self, expr: str, evaluations: int) -> Iterator[None]:
        """Give ``expr`` up where its time is up and it is alone; raise ``TimeUp`` where it is not."""
        try:
            yield
        except QuestionRefused as error:
            if error.kind != "timeout":
                raise
            if not self._alone:
                raise TimeUp(expr, self._timeout_s) from None
            reason = f"{error.reason} (after {self._timeout_s:g} s for {evaluations} evaluations)"
            self._given_up[expr] = reason
            raise QuestionRefused("timeout", reason) from None
        except TimeUp as error:
            if self._alone:
                waited = f"no end of it within {error.waited_s:g} s for {evaluations} evaluations"
                self._given_up[expr] = f"query timed out: {waited}"
            raise


def alert_states(planned: PlannedRule, rule: AlertingRule) -> AlertStates:
    """Return the state of ``rule`` before its first evaluation."""
    return AlertStates(
        for_ms=round(rule.for_s * 1000),
        keep_firing_ms=round(rule.keep_firing_for_s * 1000),
        limit=planned.group.limit,
    )


def run_alert(states: AlertStates, identity: Identity, answer: Answer, times: Iterable[int]) -> Mapping[int, str]:
    """Take ``states`` through the evaluations at ``times``; return those that failed, with the reason."""
    failed = dict(answer.failed)
    results: dict[int, list[Labels]] = {}
    for one in answer.series:
        labels = identity.of(one.labels)
        for at_ms, value in zip(one.times_ms, one.values, strict=True):
            results.setdefault(at_ms, []).append(identity.of(one.labels, value) if identity.by_value else labels)
    for at_ms in times if results or states.active else ():
        if at_ms not in answer.failed and (at_ms in results or states.active):
            reason = states.advance(at_ms, results.get(at_ms, ()))
            if reason:
                failed[at_ms] = reason
    return failed


def recorded(planned: PlannedRule, rule: RecordingRule, answer: Answer) -> Answer:
    """Return ``answer`` under the labels that ``rule`` gives; where these do not differ, an evaluation fails."""
    failed = dict(answer.failed)
    own = {**planned.group.labels, **rule.labels, "__name__": rule.name}
    named: dict[Labels, list[Found]] = {}
    for one in answer.series:
        labels = {name: value for name, value in {**one.labels, **own}.items() if value}
        named.setdefault(tuple(sorted(labels.items())), []).append(one)
    for alike in (each for each in named.values() if len(each) > 1):
        seen: set[int] = set()
        for at_ms in (at_ms for one in alike for at_ms in one.times_ms):
            if at_ms in seen:
                failed[at_ms] = "vector contains metrics with the same labelset after applying rule labels"
            seen.add(at_ms)
    if planned.group.limit:
        counts: dict[int, int] = {}
        for at_ms in (at_ms for one in answer.series for at_ms in one.times_ms):
            counts[at_ms] = counts.get(at_ms, 0) + 1
        over = {at_ms: count for at_ms, count in counts.items() if count > planned.group.limit}
        failed |= {at: f"exceeded limit of {planned.group.limit} with {count} series" for at, count in over.items()}
    return Answer(tuple(_under(labels, alike, failed) for labels, alike in named.items()), failed)


def ended(labels: Labels, at_ms: int) -> Written:
    """Return the stale marker that ends the series ``labels``."""
    return labels, np.array([at_ms], np.int64), np.full(1, STALE).view(np.float64)


def written_back(answer: Answer, times: Iterable[int], offset_ms: int = 0) -> Iterator[Written]:
    """Yield the series of ``answer`` with a stale marker at the first evaluation at which one is missing."""
    grid = np.array([at_ms for at_ms in times if at_ms not in answer.failed], np.int64)
    for one in answer.series:
        at = np.array(one.times_ms, np.int64)
        there = np.isin(grid, at, assume_unique=True)
        ends = grid[1:][there[:-1] & ~there[1:]]
        values = np.concatenate([np.array(one.values, np.float64), np.full(len(ends), STALE).view(np.float64)])
        every = np.concatenate([at, ends])
        order = np.argsort(every, kind="stable")
        yield tuple(sorted(one.labels.items())), every[order] - offset_ms, values[order]


def alert_series(alert: str, lives: Iterable[Life], times: Sequence[int]) -> tuple[Found, ...]:
    """Return what Prometheus records of the ``lives`` of an alert: whether it is pending or firing, and since when."""
    samples: dict[Labels, list[tuple[int, float]]] = {}
    for life in lives:
        own = {**dict(life.labels), "alertname": alert}
        since = _labels({"__name__": "ALERTS_FOR_STATE", **own})
        for at_ms in times:
            if at_ms >= life.active_ms and (life.ended_ms is None or at_ms < life.ended_ms):
                state = "pending" if life.fired_ms is None or at_ms < life.fired_ms else "firing"
                now = _labels({"__name__": "ALERTS", "alertstate": state, **own})
                samples.setdefault(now, []).append((at_ms, 1.0))
                samples.setdefault(since, []).append((at_ms, float(life.active_ms // 1000)))
    return tuple(
        Found(dict(labels), tuple(at for at, _ in points), tuple(value for _, value in points))
        for labels, points in samples.items()
    )


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _under(labels: Labels, alike: Sequence[Found], failed: Mapping[int, str]) -> Found:
    if len(alike) == 1 and not failed:
        return Found(dict(labels), alike[0].times_ms, alike[0].values)
    points = sorted(
        (at_ms, value)
        for one in alike
        for at_ms, value in zip(one.times_ms, one.values, strict=True)
        if at_ms not in failed
    )
    return Found(dict(labels), tuple(at_ms for at_ms, _ in points), tuple(value for _, value in points))


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise QuestionRefused("timeout", "query timed out in evaluations one by one")


def _moved(found: Found, by_ms: int) -> Found:
    return Found(found.labels, tuple(at_ms + by_ms for at_ms in found.times_ms), found.values)
