"""Two runs side by side: verdicts, times of every stage, and what was different in rules, settings and versions.

It says what differs and by how much, and never which of the two is right.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from faults.drills.evidence import AlertEvidence, Evidence
from faults.drills.report import amounts
from faults.drills.report.stages import AFTER_ROLLBACK
from faults.drills.report.words import parameters
from faults.drills.score import detection_and_reset_s
from faults.drills.wire import STAGES, AlertOutcome, DrillRun

_CONTEXT = 2


@dataclass(frozen=True)
class Pair:
    """One thing in both runs; ``difference`` is empty where it is the same or cannot be told."""

    name: str
    first: str
    second: str
    difference: str = ""

    @property
    def differs(self) -> bool:
        """Say whether the two are different."""
        return self.first != self.second


@dataclass(frozen=True)
class Compared:
    """A part of the comparison: rows, or the lines of a text that differ (``- `` first, ``+ `` second)."""

    title: str
    pairs: tuple[Pair, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The whole of it."""

    title: str
    first: str
    second: str
    parts: tuple[Compared, ...]


def compare(first: Evidence, second: Evidence) -> Comparison:
    """Return what is the same and what is not in two runs, which need not be of the same drill."""
    parts = [
        Compared("The runs", tuple(_runs(first, second))),
        *_alerts(first, second),
        Compared("Versions", _mappings(first.setup.versions, second.setup.versions)),
        Compared("Configuration", _mappings(first.setup.configuration, second.setup.configuration)),
        Compared("Host", _mappings(first.setup.host, second.setup.host)),
        Compared("Drill file: lines that differ", lines=_differing(first.drill_text, second.drill_text)),
    ]
    same = first.run.name == second.run.name
    title = f"Two runs of {first.run.name}" if same else f"{first.run.name} and {second.run.name}"
    return Comparison(
        title, _named(first.run), _named(second.run), tuple(one for one in parts if one.pairs or one.lines)
    )


def _named(run: DrillRun) -> str:
    return f"{run.id} ({amounts.moment(run.queued_at)})"


def _runs(first: Evidence, second: Evidence) -> Iterator[Pair]:
    a, b = first.run, second.run
    yield Pair("drill", a.name, b.name)
    yield Pair("verdict", a.verdict or a.phase, b.verdict or b.phase)
    yield Pair("reason", a.reason, b.reason)
    yield Pair("pace", a.pace, b.pace)
    yield Pair("seed", str(a.seed), str(b.seed))
    yield _time("fault burned", _between(a.fault_at, a.rollback_at), _between(b.fault_at, b.rollback_at))
    yield _time("took", _between(a.queued_at, a.ended_at), _between(b.queued_at, b.ended_at))
    yield Pair("faults", _faults(first), _faults(second))


def _faults(evidence: Evidence) -> str:
    told = (
        f"{one.record.kind} ({parameters(one.record.parameters)}) on {one.record.probability:.0%}"
        for one in evidence.faults
    )
    return "; ".join(told) or ", ".join(f"{one.kind}, as planned" for one in evidence.planned)


def _alerts(first: Evidence, second: Evidence) -> Iterator[Compared]:
    ours, theirs = _outcomes(first), _outcomes(second)
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        a, b = ours.get(key), theirs.get(key)
        name = (a or b or (AlertOutcome(alert=key[0], expected=False), None))[0].alert
        labels = f" {parameters(dict(key[1]))}" if key[1] else ""
        yield Compared(f"Alert {name}{labels}", tuple(_outcome(first.run, second.run, a and a[0], b and b[0])))
        rules = [one[1].rule.yaml if one and one[1] and one[1].rule else "" for one in (a, b)]
        yield Compared(f"Rule {name}: lines that differ", lines=_differing(*rules))


_Key = tuple[str, tuple[tuple[str, str], ...]]


def _outcomes(evidence: Evidence) -> Mapping[_Key, tuple[AlertOutcome, AlertEvidence | None]]:
    known = [*evidence.alerts, *[None] * len(evidence.run.outcomes)]
    return {
        (one.alert, tuple(sorted(one.labels.items()))): (one, known[index])
        for index, one in enumerate(evidence.run.outcomes)
    }


def _outcome(run: DrillRun, other: DrillRun, a: AlertOutcome | None, b: AlertOutcome | None) -> Iterator[Pair]:
    yield Pair("expected", _word(a), _word(b))
    yield Pair("verdict", _verdict(a), _verdict(b))
    for stage in STAGES:
        late = stage in AFTER_ROLLBACK
        zeros = (run.rollback_at, other.rollback_at) if late else (run.fault_at, other.fault_at)
        name = f"{stage.replace('_', ' ')}, since {'put out' if late else 'the fault'}"
        yield _time(name, _between(zeros[0], _stage(a, stage)), _between(zeros[1], _stage(b, stage)))
    for index, name in enumerate(("detection", "reset")):
        ours = None if a is None else detection_and_reset_s(run, a)[index]
        theirs = None if b is None else detection_and_reset_s(other, b)[index]
        yield _time(f"{name} time", ours, theirs)


def _word(outcome: AlertOutcome | None) -> str:
    return "not in this run" if outcome is None else "yes" if outcome.expected else "no"


def _verdict(outcome: AlertOutcome | None) -> str:
    return amounts.NOTHING if outcome is None else outcome.verdict or "undecided"


def _stage(outcome: AlertOutcome | None, stage: str) -> float | None:
    at: float | None = None if outcome is None else getattr(outcome.stages, stage)
    return at


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start


def _time(name: str, first: float | None, second: float | None) -> Pair:
    difference = "" if first is None or second is None else f"{second - first:+.1f} s"
    return Pair(
        name, amounts.seconds(first), amounts.seconds(second), "" if difference in {"+0.0 s", "-0.0 s"} else difference
    )


def _mappings(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[Pair, ...]:
    names = [*first, *(name for name in second if name not in first)]
    return tuple(Pair(name, first.get(name, amounts.NOTHING), second.get(name, amounts.NOTHING)) for name in names)


def _differing(first: str, second: str) -> tuple[str, ...]:
    """Return the lines that differ with a little around them; none where the texts are the same or one is missing."""
    if first == second or not first or not second:
        return ()
    lines = difflib.unified_diff(first.splitlines(), second.splitlines(), lineterm="", n=_CONTEXT)
    return tuple(line for line in lines if not line.startswith(("---", "+++")))
