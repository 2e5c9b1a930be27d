"""What the process that answers does with a question: it sweeps, judges and writes tests. It keeps nothing.

It loads the service's own code, which is why no page imports it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from faults.drills.check.cache import Cache, cache_folder
from faults.drills.check.check import Options, check, inventory_of, scenarios_of
from faults.drills.check.curve_tries import CurveOptions, tried_curves
from faults.drills.check.engine import engine_name
from faults.drills.check.horizon import horizon_of
from faults.drills.check.matrix import matrix_of
from faults.drills.check.matrix_expected import library_expectations
from faults.drills.check.places import alerts_of
from faults.drills.check.repairs import repairs_of
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.check.sweep import LOOKBACK_S, Sweeper
from faults.drills.check.sweep import Progress as HowFar
from faults.drills.check.tried import Tried
from faults.drills.export.errors import ExportError
from faults.drills.export.export import Exported, export
from faults.drills.export.tried import tried_course
from faults.drills.judge.judge import Judge
from faults.drills.lint.lint import lint
from faults.drills.virtual.scenario import Scenario
from panel.rulebook.answers import CheckAnswer, CoursePart, CurveAnswer, Message, Progress, TestsAnswer
from panel.rulebook.courses import course_in
from panel.rulebook.questions import CheckQuestion, CurveQuestion, Errand, TestsQuestion
from stack.pace import PRODUCTION
from stack.rules.file import RuleFile

Tell = Callable[[Message], None]
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")


def answer(errand: Errand, tell: Tell) -> None:
    """Tell the answer to a question; the rules are put into the folder that this process works in.

    Raises whatever reading, sweeping, judging and exporting raise.
    """
    question = errand.question
    tell(Progress(doing="reading the rules"))
    Path(question.name).write_text(question.body, encoding="utf-8")
    files = load_rule_files([question.name])
    if isinstance(question, CheckQuestion):
        _checked(errand, question, files, tell)
    elif isinstance(question, CurveQuestion):
        _drawn(errand, question, files, tell)
    else:
        _tested(errand, question, files, tell)


def _checked(errand: Errand, question: CheckQuestion, files: Sequence[RuleFile], tell: Tell) -> None:
    tries: list[Tried] = []
    with Sweeper.started(Path(errand.artifacts), jobs=errand.jobs, cache=_cache(errand)) as sweeper:

        def attempt(scenarios: Sequence[Scenario], rules: Sequence[RuleFile]) -> Iterator[Tried]:
            for one in sweeper.sweep(scenarios, rules, on_progress=lambda how: tell(_progress(how, "tried"))):
                tries.append(one)
                yield one

        result = check(files, _options(question), attempt, engine=engine_name())
    matrix = matrix_of(result, tries, library_expectations())
    firsts = {one.scenario.name: one for one in reversed(tries)}
    for index, place in enumerate(alerts_of(files)):
        for scenario, tried in firsts.items():
            course = course_in(tried, place.ref)
            if course is not None:
                tell(CoursePart(alert=index, scenario=scenario, text=course.model_dump_json()))
    tell(CheckAnswer(result=result, matrix=matrix))


def _drawn(errand: Errand, question: CurveQuestion, files: Sequence[RuleFile], tell: Tell) -> None:
    options = CurveOptions(
        question.fault,
        points=question.points,
        resolution=question.resolution,
        alerts=question.alerts,
        dialect=question.dialect,
        for_s=question.for_s,
        seeds=tuple(range(1, question.seeds + 1)),
    )
    with Sweeper.started(Path(errand.artifacts), jobs=errand.jobs, cache=_cache(errand)) as sweeper:
        curves = tried_curves(
            files, options, sweeper, on_progress=lambda how: tell(_progress(how, "strengths of this round tried"))
        )
    tell(CurveAnswer(curves=curves))


def _tested(errand: Errand, question: TestsQuestion, files: Sequence[RuleFile], tell: Tell) -> None:
    """Tell the tests of all that is wanted, by the very scenarios of the check, which mostly are kept."""
    by_name = {one.name: one for one in _scenarios(question, files)}
    written: dict[str, str] = {question.name: question.body}
    told: list[str] = []
    notes: list[str] = []
    artifacts, cache = Path(errand.artifacts), _cache(errand)
    with Judge.started(lookback_s=LOOKBACK_S) as judge:
        for done, (scenario, alerts) in enumerate(question.wanted):
            tell(Progress(done=done, total=len(question.wanted), doing=f"{scenario}: promtool runs the test"))
            test = Path(f"{Path(question.name).stem}.{_NO_NAME.sub('-', scenario).strip('-')}.test.yml")
            try:
                course = tried_course(by_name[scenario], files, judge, artifacts=artifacts, cache=cache)
                made = export(course, files, test, alerts=alerts)
            except ExportError as problem:
                notes.append(str(problem))
                continue
            written |= {str(test): made.text, **dict(made.rules)}
            told.append(_told(test, made))
            notes += [f"{scenario}: {note}" for note in made.notes]
    tell(TestsAnswer(files=written, told=told, notes=list(dict.fromkeys(notes))))


def _told(test: Path, made: Exported) -> str:
    alerts = ", ".join(made.alerts)
    firing = f"{made.firing} of them firing" if made.firing else "all of them quiet"
    return f"{test}: {made.cases} cases of {alerts}, {firing}"


def _options(question: CheckQuestion | TestsQuestion) -> Options:
    return Options(question.dialect, question.faults, question.for_s, seeds=question.seeds)


def _scenarios(question: TestsQuestion, files: Sequence[RuleFile]) -> Iterator[Scenario]:
    """Yield the scenarios that a check with the same options tries, of its first seed."""
    options = replace(_options(question), seeds=1)
    findings = lint(files, inventory=inventory_of(question.dialect), scrape_s=PRODUCTION.interval_s)
    asked = [*files, *repairs_of(files, findings).files]
    yield from scenarios_of(asked, horizon_of(files, for_s=question.for_s), options)


def _cache(errand: Errand) -> Cache | None:
    return Cache(cache_folder()) if errand.cached else None


def _progress(how: HowFar, what: str) -> Progress:
    doing = f"{how.done} of {how.total} {what}" + (f", last: {how.last}" if how.last else "")
    return Progress(done=how.done, total=how.total, kept=how.kept, left_s=how.left_s, doing=doing)
