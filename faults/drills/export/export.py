"""Makes a unit test for promtool of the course of a drill, and has promtool pass it before anyone is given it.

What a test expects is what happened in the drill. promtool is asked twice: what it sees in the same samples, which has
to be the same and from which the rendered annotations are taken; and whether it passes the finished file. The file is
written by whoever asked for it, from ``Exported.text``.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from faults.drills.export.course import Course
from faults.drills.export.errors import ExportError, NotAsDrilled, NotExportable, NothingToExport, TestsRefused
from faults.drills.export.grid import Grid, grid_of, merged
from faults.drills.export.moments import Evaluations, Moment, moments
from faults.drills.export.reading import Got, read_differences
from faults.drills.export.remarks import remarks
from faults.drills.export.rulepaths import RulePaths, plain_copies, rule_paths, written_beside
from faults.drills.export.selection import group_order, narrowed, selected
from faults.drills.export.writing import Rendered, TestFile, pending_query
from faults.drills.judge.clock import asks_for_time
from faults.drills.virtual.recording import Labels
from stack.rules import promtool
from stack.rules.durations import format_duration
from stack.rules.errors import PromtoolRefused
from stack.rules.file import RuleFile

Promtool = Literal[2, 3]
"""For which promtool. The one at hand, of 2, passes both; what 3 alone knows is left out while it does."""
_TOO_MANY = "too many samples"
_LE = frozenset({"le", "quantile"})


@dataclass(frozen=True)
class Exported:
    """A test file that promtool passed."""

    text: str
    rules: tuple[tuple[str, str], ...]
    """Name and text of the rule files that have to lie beside it."""
    alerts: tuple[str, ...]
    """What it tests, in the order of the rules."""
    series: int
    cases: int
    """Alerts at times, pending ones counted too."""
    firing: int
    """Of them, those at which something fires."""
    notes: tuple[str, ...]


def export(
    course: Course,
    rules: Sequence[RuleFile],
    test: Path,
    *,
    alerts: Collection[str] = (),
    for_promtool: Promtool = 2,
) -> Exported:
    """Return the test of ``alerts`` of ``rules``, by default of all of them, in ``course``; it is to lie at ``test``.

    Raises ``NothingToExport``, ``NotAsDrilled``, ``TestsRefused``; ``ProgramMissing`` without a promtool.
    """
    known = tuple(dict.fromkeys(rule.name for file in rules for rule in file.alerts))
    missing = sorted(set(alerts) - set(known))
    if missing or not known:
        have = f"the rules have no alert {', '.join(missing)}" if missing else "the rules have no alert"
        raise NothingToExport(course.title, f"{have}; they have: {', '.join(known) or 'recordings at most'}")
    wanted = tuple(name for name in known if not alerts or name in alerts)
    return _Making(course, rules, wanted, for_promtool).exported(test)


class _Making:
    """One export under way."""

    def __init__(self, course: Course, rules: Sequence[RuleFile], alerts: Sequence[str], version: Promtool) -> None:
        self._course, self._version, self._notes = course, version, list[str]()
        self._grid = grid_of(course.started_at, course.interval_s, halved=version == 3)
        self._alerts = tuple(self._testable(alerts, rules))
        self._needed = narrowed(rules, self._alerts)
        needed = {file.path for file in self._needed}
        self._rules = tuple(file for file in rules if file.path in needed)
        intervals = [group.interval_s or course.interval_s for file in self._needed for group in file.groups]
        self._every_s = Counter(intervals).most_common(1)[0][0]
        self._evaluations = Evaluations(self._grid.origin, self._every_s)
        self._file = self._drawn()

    def exported(self, test: Path) -> Exported:
        """Ask promtool what it sees, complete the expectations with that, and have it pass the file as it will lie."""
        paths = rule_paths(self._rules, self._needed, test)
        rendered = self._rendered(self._seen())
        file = replace(self._file, rule_files=paths.names)
        text = file.text(rendered)
        self._tried(replace(file, start_timestamp="").text(rendered), paths, test)
        return Exported(
            text,
            paths.copies,
            tuple(dict.fromkeys(one.alert for one in file.moments)),
            len(file.series),
            sum(1 + bool(one.pending) for one in file.moments),
            sum(bool(one.firing) for one in file.moments),
            tuple(self._notes),
        )

    def _testable(self, alerts: Sequence[str], rules: Sequence[RuleFile]) -> Iterator[str]:
        """Yield those of ``alerts`` of which promtool can see what a drill sees; note why not, of the others."""
        reasons = dict(self._course.untested)
        clocked = {rule.name for file in rules for rule in file.alerts if asks_for_time(rule.expr)}
        reasons |= dict.fromkeys(clocked, "it asks for the time, and this promtool's begins in 1970")
        for alert in alerts:
            if alert in reasons:
                self._notes.append(f"{alert} is not tested: {reasons[alert]}")
            else:
                yield alert
        if not set(alerts) - set(reasons):
            raise NothingToExport(self._course.title, "; ".join(self._notes))

    def _drawn(self) -> TestFile:
        """Return the file but for what promtool has to tell."""
        course, grid = self._course, self._grid
        series = merged(selected(course.series, self._needed), grid)
        if self._version == 3:
            series = {_as_stored_by_3(labels): slots for labels, slots in series.items()}
        if not series:
            raise NothingToExport(course.title, "none of its series is selected by these rules")
        looks = [
            one
            for alert in self._alerts
            for one in moments(alert, course, self._evaluations, slack_s=self._slack_s(alert))
        ]
        if not looks:
            raise NothingToExport(course.title, "it was too short for any evaluation that could be tested")
        drawn = TestFile(
            course.title,
            (),
            (),
            group_order(self._rules),
            self._every_s,
            grid.step_s,
            series,
            tuple(looks),
            None if course.fault_at is None else course.fault_at - grid.origin,
            None if course.rollback_at is None else course.rollback_at - grid.origin,
            _stamp(grid) if self._version == 3 else "",
        )
        return replace(drawn, remarks=remarks(course, self._version, self._notes))

    def _slack_s(self, alert: str) -> float:
        """Return how far the states of ``alert`` may be off in the test; note where its group has another interval."""
        intervals = {
            group.interval_s or self._course.interval_s
            for file in self._needed
            for group in file.groups
            if any(rule.name == alert for rule in group.rules)
        }
        others = intervals - {self._every_s}
        slack_s = self._course.slack_s
        if self._version == 3:
            slack_s += self._every_s
        if others:
            told = ", ".join(format_duration(each) for each in sorted(others))
            every = format_duration(self._every_s)
            self._notes.append(f"{alert} is evaluated every {told}, here every {every}: promtool knows one interval")
            slack_s += max(*others, self._every_s)
        return slack_s

    def _seen(self) -> Got:
        """Return what promtool finds in the samples."""
        with tempfile.TemporaryDirectory(prefix="firedrill-export-") as folder:
            place = Path(folder)
            asking = replace(self._file, remarks=(), rule_files=plain_copies(self._rules, place))
            path = place / "asking.yml"
            path.write_text(asking.text(None), encoding="utf-8")
            try:
                promtool.test(path)
            except PromtoolRefused as refused:
                got = read_differences(refused.output)
                if got.other:
                    raise _refusal(self._course.title, got.other) from None
                return got
        return Got({}, {})

    def _rendered(self, got: Got) -> Rendered:
        """Return the annotations of whatever fires; raise ``NotAsDrilled`` where that, or what pends, differs."""
        rendered: dict[tuple[str, float, Labels], Mapping[str, str]] = {}
        differences: list[str] = []
        for moment in self._file.moments:
            firing = got.firing.get((moment.alert, moment.at_s), {})
            pending = got.pending.get((pending_query(moment.alert), moment.at_s), frozenset())
            differences += _difference(moment, "firing", moment.firing, firing)
            differences += _difference(moment, "pending", moment.pending, pending) if moment.pending else []
            rendered |= {(moment.alert, moment.at_s, labels): texts for labels, texts in firing.items()}
        if differences:
            raise NotAsDrilled(self._course.title, differences)
        return rendered

    def _tried(self, text: str, paths: RulePaths, test: Path) -> None:
        """Have promtool run ``text`` in the folder in which it is to lie."""
        copies = [test.parent / name for name, _ in paths.copies]
        new = [path for path in copies if not path.exists()]
        kept = {path: path.read_bytes() for path in copies if path.exists()}
        trial = written_beside(test, text)
        try:
            for path, (_, copy) in zip(copies, paths.copies, strict=True):
                path.write_text(copy, encoding="utf-8")
            promtool.test(trial)
        except PromtoolRefused as refused:
            raise TestsRefused(self._course.title, refused.output) from None
        finally:
            trial.unlink(missing_ok=True)
            for path in new:
                path.unlink(missing_ok=True)
            for path, content in kept.items():
                path.write_bytes(content)


def _refusal(title: str, said: Sequence[str]) -> ExportError:
    """Return the error for what promtool said beside differences."""
    many = [line for line in said if _TOO_MANY in line]
    if many:
        return NotExportable(title, f"promtool takes 10,000 samples at once, and not here: {many[0]}")
    return TestsRefused(title, "\n".join(said))


def _difference(moment: Moment, state: str, drilled: Collection[Labels], seen: Collection[Labels]) -> list[str]:
    if set(drilled) == set(seen):
        return []
    told = (_told(drilled), _told(seen))
    return [f"{moment.alert} at {format_duration(moment.at_s)}: {state} in the drill {told[0]}, in promtool {told[1]}"]


def _told(instances: Collection[Labels]) -> str:
    each = ("{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}" for labels in sorted(instances))
    return ", ".join(each) or "nothing"


def _as_stored_by_3(labels: Labels) -> Labels:
    """Return ``labels`` as Prometheus 3 would have stored them: whole numbers as buckets end in ``.0``."""
    return tuple((name, f"{value}.0" if name in _LE and value.isdigit() else value) for name, value in labels)


def _stamp(grid: Grid) -> str:
    return datetime.fromtimestamp(grid.origin, UTC).isoformat().replace("+00:00", "Z")
