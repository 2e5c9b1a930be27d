"""The jobs of the rules page for real: processes, workers and Prometheus, and that nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from faults.drills.check.result import Verdict
from panel.rulebook.answers import CheckAnswer, CurveAnswer, TestsAnswer
from panel.rulebook.questions import CheckQuestion, CurveQuestion, TestsQuestion
from panel.rulebook.takeaway import wanted_tests
from panel.rulebook.workbench import Job, Workbench
from stack.rules import promtool
from tests.levels import thorough
from tests.unit.faults.small_sweeps import RULES

ROOT = Path(__file__).resolve().parents[3]
LONG = CheckQuestion(name="long.yml", body=RULES, for_s=6 * 3600.0, faults=("error", "traffic_spike"))
PANEL = """
import sys, time
from pathlib import Path
from panel.rulebook.questions import CheckQuestion
from panel.rulebook.workbench import Workbench
bench = Workbench(Path(sys.argv[1]), jobs=2, cached=False)
bench.ask(CheckQuestion(name="long.yml", body=Path(sys.argv[2]).read_text(), for_s=21600.0))
time.sleep(600)
"""


def until(check: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Wait until ``check`` holds."""
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def over(bench: Workbench, key: str) -> Job:
    """Return the job once it is over."""
    until(lambda: (job := bench.job(key)) is not None and job.over, "the end of the job", 200.0)
    job = bench.job(key)
    assert job is not None
    return job


def at_work(pid: int | None = None) -> list[psutil.Process]:
    """Return the processes that answer for ``pid`` (this one), and all that they have started."""
    found: list[psutil.Process] = []
    for process in psutil.Process(pid).children():
        try:
            if "panel.rulebook.worker" in process.cmdline():
                found += [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return found


@thorough
def test_a_check_its_tests_and_a_curve(trained: Path, tmp_path: Path) -> None:
    """One job for who asks the same; verdicts, courses, and unit tests that promtool passes wherever they lie."""
    bench = Workbench(trained, jobs=1, cached=False)
    asked = CheckQuestion(name="small.yml", body=RULES, for_s=420.0, faults=("error (exception)",))
    first, second = bench.ask(asked), bench.ask(asked.model_copy())
    assert first is not None
    assert second is not None
    assert first.asked_at == second.asked_at
    assert bench.waiting()[0].key == asked.key
    job = over(bench, asked.key)
    assert job.state == "done", job.problem
    found = job.answered(CheckAnswer)
    assert found is not None
    verdicts = {one.place.rule: (one.verdict, one.quiet) for one in found.result.alerts}
    assert verdicts["Errors"] == (Verdict.FIRES, True)
    assert verdicts["AlwaysOn"] == (Verdict.FIRES, False)
    assert verdicts["NotOurs"] == (Verdict.NOT_COVERED, None)
    assert found.matrix.scenarios == ["steady state", "error (exception)"]
    assert found.result.files == ["small.yml"]
    course = bench.course(asked.key, 0, "error (exception)")
    assert course is not None
    (compared,) = course.compared
    assert (compared.operator, compared.threshold) == (">", 0.2)
    assert course.lives[0].fired_s is not None
    assert course.start_s < 0 < course.lives[0].fired_s < course.end_s
    values = [value for value in compared.lines[0].values if value is not None]
    assert max(values) > 0.2 > min(values)
    assert bench.course(asked.key, 0, "hang") is None

    wanted = wanted_tests(found.result)
    tests = TestsQuestion(name="small.yml", body=RULES, for_s=420.0, faults=asked.faults, wanted=wanted)
    curve = CurveQuestion(
        name="small.yml", body=RULES, for_s=420.0, fault="error", alerts=("Errors",), points=2, resolution=1.0
    )
    assert bench.ask(tests) is not None
    assert bench.ask(curve) is not None
    assert [one.key for one in bench.waiting()] == [tests.key, curve.key]
    answer = over(bench, tests.key).answered(TestsAnswer)
    assert answer is not None
    names = sorted(name for name in answer.files if name.endswith(".test.yml"))
    assert names == ["small.error-exception.test.yml", "small.steady-state.test.yml"], answer.notes
    for name, text in answer.files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    promtool.test(*(tmp_path / name for name in names))
    drawn = over(bench, curve.key).answered(CurveAnswer)
    assert drawn is not None
    assert drawn.curves.curves[0].fires_from == 1.0
    until(lambda: not at_work(), "the end of the process")


def test_cancelling_leaves_no_process_and_lets_the_next_one_begin(trained: Path) -> None:
    """Workers, Prometheus and the process itself are gone; who asks again begins anew; what waits can be cancelled."""
    bench = Workbench(trained, jobs=2, cached=False)
    waiting = LONG.model_copy(update={"seeds": 2})
    try:
        assert bench.ask(LONG) is not None
        assert bench.ask(waiting) is not None
        bench.cancel(waiting.key)
        until(lambda: len(at_work()) >= 4, "workers")
        children = at_work()
        bench.cancel(LONG.key)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
        states = [bench.job(one.key) for one in (LONG, waiting)]
        assert [one.state for one in states if one is not None] == ["cancelled", "cancelled"]
        bad = bench.ask(CheckQuestion(name="bad.yml", body="groups: []"))
        assert bad is not None
        job = over(bench, bad.key)
        assert job.state == "failed"
        assert "there is no alert to check: bad.yml" in job.problem
    finally:
        bench.cancel(LONG.key)


@thorough
def test_a_panel_that_is_killed_leaves_no_process(trained: Path, tmp_path: Path) -> None:
    """By SIGKILL, in which nothing of its own code runs any more."""
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    panel = subprocess.Popen(
        [sys.executable, "-c", PANEL, str(trained), str(rules)], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        until(lambda: len(at_work(panel.pid)) >= 4, "workers")
        children = at_work(panel.pid)
        panel.send_signal(signal.SIGKILL)
        panel.wait()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive
    finally:
        panel.kill()


def test_a_process_that_dies_is_told_and_can_be_tried_again(trained: Path) -> None:
    """No job hangs for ever when its process is gone."""
    until(lambda: not at_work(), "the end of the process of the test before")
    bench = Workbench(trained, jobs=1, cached=False)
    assert bench.ask(LONG) is not None
    until(lambda: bool(at_work()), "the process")
    at_work()[0].kill()
    job = over(bench, LONG.key)
    assert job.state == "failed"
    assert "Try again" in job.problem


def test_answers_are_forgotten_and_only_so_many_wait(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answer goes first, and a queue that is full takes nothing more."""
    bench = Workbench(trained, jobs=1, cached=False, limit=1)
    monkeypatch.setattr(bench, "_perform", lambda job: bench._end(job.key, problem=job.question.name))
    asked = [CheckQuestion(name=f"{index}.yml", body="x") for index in range(4)]
    for one in asked:
        assert bench.ask(one) is not None
        over(bench, one.key)
    assert bench.ask(CheckQuestion(name="more.yml", body="x")) is not None
    assert bench.job(asked[0].key) is None
    gate = Workbench(trained, limit=1)
    monkeypatch.setattr("panel.rulebook.workbench.MOST_WAITING", 2)
    gate._walking = True  # nobody works
    assert [gate.ask(one) is not None for one in asked] == [True, True, False, False]
