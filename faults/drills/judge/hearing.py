"""One recording before the judge: its rules, layer by layer, in every world. It starts and ends no process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np

from faults.drills.condition import Comparison, comparisons
from faults.drills.judge.alert_state import AlertStates
from faults.drills.judge.dependencies import Plan, PlannedRule, Step
from faults.drills.judge.errors import QuestionRefused
from faults.drills.judge.evaluation import (
    Answer,
    Evaluator,
    Written,
    alert_series,
    alert_states,
    ended,
    part_of,
    recorded,
    run_alert,
    written_back,
)
from faults.drills.judge.identity import Identity
from faults.drills.judge.judgement import AlertCourse, AlertLife, RuleRef, Side
from faults.drills.judge.questions import Found, Questions
from faults.drills.judge.remote_write import samples_of
from faults.drills.judge.worlds import World
from faults.drills.virtual.recording import Labels
from stack.clients.series import Series
from stack.rules.file import AlertingRule, RecordingRule

_Key = tuple[tuple[int, int, int], int]
_Asked = tuple[str, int, int, int]


@dataclass
class _Outcome:
    """What came of one rule in one world."""

    times: range
    answer: Answer = field(default_factory=lambda: Answer(()))
    """What a recording recorded."""
    states: AlertStates | None = None
    failed: dict[int, str] = field(default_factory=dict)


class _Part:
    """What a question found at some of its times: those of one phase of the evaluations."""

    def __init__(self, whole: Future[Answer], times: range) -> None:
        self._whole, self._times = whole, times
        self._answer: Answer | None = None

    def result(self) -> Answer:
        """Wait for the whole answer; return this part of it."""
        if self._answer is None:
            self._answer = part_of(self._whole.result(), self._times)
        return self._answer

    def cancel(self) -> None:
        """Ask nothing, where it was not asked yet."""
        self._whole.cancel()


class Hearing:
    """Takes the rules of ``plan`` through ``worlds``, whose samples have been written already."""

    def __init__(
        self,
        plan: Plan,
        worlds: Sequence[World],
        *,
        interval_s: float,
        evaluator: Evaluator,
        questions: Questions,
        pool: Executor,
    ) -> None:
        self._plan, self._worlds, self._interval_s = plan, worlds, interval_s
        self._phases = sum(one.home == 0 for one in worlds)
        self._evaluator, self._questions, self._pool = evaluator, questions, pool
        self._outcomes: dict[_Key, _Outcome] = {}
        self._answers: dict[_Asked, Future[Answer] | _Part] = {}
        self._comparisons_of: dict[str, tuple[Comparison, ...]] = {}
        self._notes: dict[str, None] = {}

    def run(self, *, sides: bool) -> None:
        """Evaluate everything; with ``sides`` the left sides of comparisons too.

        Raises ``EngineDied``, and ``TimeUp``, after which the engine may be busy for long.
        """
        try:
            self._run(sides=sides)
        except BaseException:
            for future in self._answers.values():
                future.cancel()
            raise

    def _run(self, *, sides: bool) -> None:
        for layer in self._plan.layers:
            alone = [step.rules[0] for step in layer if not step.circular]
            asked = [(rule, world, self._ask(rule.rule.expr, rule, world)) for world in self._worlds for rule in alone]
            if sides:
                self._ask_sides(alone)
            for rule, world, future in asked:
                self._outcomes[rule.position, world.index] = self._outcome(rule, world, future.result())
            self._write(alone)
            for step in layer:
                if step.circular:
                    self._run_circular(step)
                    if sides:
                        self._ask_sides(step.rules)
        for future in self._answers.values():
            future.result()

    def courses(self, world: World, *, sides: bool) -> Iterator[AlertCourse]:
        """Yield what became of each alerting rule in ``world``, in the order of the files."""
        for planned in self._plan.rules:
            rule = planned.rule
            if not isinstance(rule, AlertingRule):
                continue
            outcome = self._outcomes[planned.position, world.index]
            lives = () if outcome.states is None else outcome.states.lives()
            _, _, index = planned.position
            yield AlertCourse(
                RuleRef(str(planned.file.path), planned.group.name, index, rule.name),
                rule,
                self._interval_ms(planned) / 1000,
                tuple(
                    AlertLife(one.labels, one.active_ms / 1000, _seconds(one.fired_ms), _seconds(one.ended_ms))
                    for one in lives
                ),
                tuple(self._sides(planned, world)) if sides else (),
                self._error(planned, world, outcome, lived=bool(lives)),
            )

    def notes(self) -> tuple[str, ...]:
        """Return what a reader has to know of how it went, once each."""
        return tuple(self._notes)

    def _interval_ms(self, planned: PlannedRule) -> int:
        return round((planned.group.interval_s or self._interval_s) * 1000)

    def _ask(self, expr: str, planned: PlannedRule, world: World) -> Future[Answer] | _Part:
        """Have ``expr`` evaluated when ``planned`` is, once however often it is asked for.

        What reads nothing but scrapes is evaluated for all phases of a scraper in one go.
        """
        interval_ms, offset_ms = self._interval_ms(planned), _offset_ms(planned)
        key = (expr, interval_ms, offset_ms, world.index)
        known = self._answers.get(key)
        if known is not None:
            return known
        every = world.times_of_all(interval_ms, self._phases)
        if self._phases == 1 or every is None or not self._plan.reads_scrapes_alone(planned):
            times = world.times(interval_ms)
            found = self._pool.submit(self._evaluator.over, expr, world, times, offset_ms=offset_ms)
            self._answers[key] = found
            return found
        home = self._worlds[world.home]
        whole = self._pool.submit(self._evaluator.over, expr, home, every, offset_ms=offset_ms)
        for one in self._worlds[world.home : world.home + self._phases]:
            self._answers[expr, interval_ms, offset_ms, one.index] = _Part(whole, one.times(interval_ms))
        return self._answers[key]

    def _ask_sides(self, rules: Iterable[PlannedRule]) -> None:
        for planned in rules:
            for one in self._comparisons(planned):
                for world in self._worlds:
                    self._ask(one.left, planned, world)

    def _comparisons(self, planned: PlannedRule) -> tuple[Comparison, ...]:
        """Return what is compared in an alert's expression; nothing of one that takes too long already."""
        expr = planned.rule.expr
        if not isinstance(planned.rule, AlertingRule) or self._evaluator.gave_up(expr):
            return ()
        if expr not in self._comparisons_of:
            self._comparisons_of[expr] = comparisons(expr)
        return self._comparisons_of[expr]

    def _sides(self, planned: PlannedRule, world: World) -> Iterator[Side]:
        for one in self._comparisons(planned):
            answer = self._ask(one.left, planned, world).result()
            yield Side(one, tuple(_series(found) for found in answer.series))

    def _outcome(self, planned: PlannedRule, world: World, answer: Answer) -> _Outcome:
        """Return what comes of ``answer``, the result of the rule's expression."""
        times = world.times(self._interval_ms(planned))
        if isinstance(planned.rule, RecordingRule):
            kept = recorded(planned, planned.rule, answer)
            return _Outcome(times, kept, failed=dict(kept.failed))
        states, identity = alert_states(planned, planned.rule), Identity(planned.rule, planned.group)
        failed = run_alert(states, identity, answer, times)
        for name in identity.unexpanded:
            self._notes[f"{planned.rule.name}: the template in its label {name} is not expanded"] = None
        return _Outcome(times, states=states, failed=dict(failed))

    def _run_circular(self, step: Step) -> None:
        """Evaluate rules that read each other, or themselves, one time after the other."""
        for world in self._worlds:
            outcomes = {one.position: self._outcome(one, world, Answer(())) for one in step.rules}
            due = sorted((at_ms, one.position, one) for one in step.rules for at_ms in outcomes[one.position].times)
            before: dict[tuple[int, int, int], set[Labels]] = {}
            for at_ms, position, planned in due:
                outcome = outcomes[position]
                kept = self._evaluated_once(planned, world, at_ms, outcome)
                outcome.failed.update(kept.failed)
                if at_ms not in outcome.failed:
                    offset_ms = _offset_ms(planned)
                    now = list(written_back(kept, (at_ms,), offset_ms))
                    gone = before.get(position, set()) - {labels for labels, _, _ in now}
                    before[position] = {labels for labels, _, _ in now}
                    markers = (ended(one, at_ms - offset_ms) for one in gone)
                    self._send([(world, one) for one in (*now, *markers)])
            self._outcomes.update({(position, world.index): one for position, one in outcomes.items()})

    def _evaluated_once(self, planned: PlannedRule, world: World, at_ms: int, outcome: _Outcome) -> Answer:
        """Return what is recorded of one evaluation, having taken the alert through it."""
        try:
            answer = Answer(self._evaluator.at(planned.rule.expr, world, at_ms, offset_ms=_offset_ms(planned)))
        except QuestionRefused as error:
            return Answer((), {at_ms: error.reason})
        if isinstance(planned.rule, RecordingRule) or outcome.states is None:
            return recorded(planned, planned.rule, answer) if isinstance(planned.rule, RecordingRule) else answer
        failed = run_alert(outcome.states, Identity(planned.rule, planned.group), answer, (at_ms,))
        active = outcome.states.active if self._plan.keeps_alerts else ()
        return Answer(alert_series(planned.rule.name, active, (at_ms,)), failed)

    def _write(self, rules: Iterable[PlannedRule]) -> None:
        """Write what ``rules`` recorded, so that others can read it."""
        back: list[tuple[World, Written]] = []
        for planned in rules:
            for world in self._worlds:
                outcome = self._outcomes[planned.position, world.index]
                kept = outcome.answer
                if outcome.states is not None:
                    if not self._plan.keeps_alerts:
                        continue
                    times = [at_ms for at_ms in outcome.times if at_ms not in outcome.failed]
                    kept = Answer(alert_series(planned.rule.name, outcome.states.lives(), times), outcome.failed)
                back += [(world, one) for one in written_back(kept, outcome.times, _offset_ms(planned))]
        self._send(back)

    def _send(self, back: Iterable[tuple[World, Written]]) -> None:
        """Write ``back``; a sample where another rule has put one already is left out, as Prometheus does."""
        together: dict[Labels, list[tuple[World, Written]]] = {}
        for world, one in back:
            together.setdefault(one[0], []).append((world, one))
        merged: list[Written] = []
        for labels, parts in together.items():
            times = np.concatenate([one[1] + world.shift_ms for world, one in parts])
            values = np.concatenate([one[2] for _, one in parts])
            kept, first = np.unique(times, return_index=True)
            if len(kept) < len(times):
                self._notes[
                    f"two rules record {dict(labels)['__name__']} with the same labels; the first one counts"
                ] = None
            merged.append((labels, kept, values[first]))
        if merged:
            self._questions.write(samples_of(merged).requests(0))

    def _error(self, planned: PlannedRule, world: World, outcome: _Outcome, *, lived: bool) -> str:
        """Return why an alert could not be evaluated; what failed now and then becomes a note."""
        for source in self._plan.rules:
            if source.position in self._plan.sources[planned.position] and isinstance(source.rule, RecordingRule):
                below = self._outcomes[source.position, world.index]
                if below.times and len(below.failed) == len(below.times):
                    return f"it reads {source.rule.name}, which could not be evaluated: {_first(below.failed)}"
                self._note_failures(source.rule.name, below)
        if outcome.failed and (not lived or len(outcome.failed) == len(outcome.times)):
            if len(outcome.failed) == len(outcome.times):
                return _first(outcome.failed)
            return f"{_first(outcome.failed)} (at {len(outcome.failed)} of {len(outcome.times)} evaluations)"
        self._note_failures(planned.rule.name, outcome)
        return ""

    def _note_failures(self, name: str, outcome: _Outcome) -> None:
        if outcome.failed:
            note = f"{name}: evaluations failed now and then ({_first(outcome.failed)})"
            self._notes[note] = None


def _offset_ms(planned: PlannedRule) -> int:
    return round((planned.group.query_offset_s or 0.0) * 1000)


def _first(failed: Mapping[int, str]) -> str:
    return failed[min(failed)]


def _seconds(at_ms: int | None) -> float | None:
    return None if at_ms is None else at_ms / 1000


def _series(found: Found) -> Series:
    points = zip(found.times_ms, found.values, strict=True)
    return Series(found.labels, tuple((at_ms / 1000, value) for at_ms, value in points))
