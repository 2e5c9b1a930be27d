"""The export of what ran live: a real Prometheus scrapes and alerts, and promtool passes what is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.drills.export.errors import NothingToExport
from faults.drills.export.export import export
from faults.drills.export.lived import lived, loaded_rules
from faults.drills.wire import DrillRun
from stack.clients.prometheus import PrometheusClient
from stack.rules import promtool
from tests.levels import thorough
from tests.realprom import answering, running_prometheus

QUIET = b"x 1\nother 1\n"
BROKEN = b"x 5\n"
RULES = """
groups:
  - name: live
    rules:
      - record: job:x:max
        expr: max by (job) (x)
      - alert: TooHigh
        expr: job:x:max > 2
        for: 2s
        annotations: {summary: "{{ $labels.job }} is at {{ $value }}"}
      - alert: OtherGone
        expr: absent(other)
      - alert: LongAgo
        expr: avg_over_time(x[3h]) > 100
"""
DEADLINE_S = 60.0


def until(check: Callable[[], bool], what: str) -> None:
    """Return once ``check`` holds; fail where it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@thorough
def test_a_live_course_becomes_a_test_that_promtool_passes(tmp_path: Path) -> None:
    """Samples, stale markers and states are asked of Prometheus after the run; scrapes lie on a grid afterwards."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "live.yml").write_text(RULES, encoding="utf-8")
    with (
        answering(QUIET) as target,
        running_prometheus(
            tmp_path / "prometheus", rules=[folder / "live.yml"], scrapes={"app": [target.address]}
        ) as running,
        PrometheusClient(running.url) as prometheus,
    ):

        def samples(expr: str) -> int:
            return sum(len(one.points) for one in prometheus.raw(f"{expr}[5m]", time.time()))

        def states() -> dict[str, str]:
            return {rule.name: rule.state for rule in prometheus.rules()}

        run = DrillRun(id="abc", name="by-hand", title="", pace="workshop", phase="done", queued_at=time.time())
        until(lambda: samples("job:x:max") >= 4, "four evaluations of calm")
        run.fault_at = time.time()
        target.body = BROKEN
        until(lambda: states()["TooHigh"] == states()["OtherGone"] == "firing", "both alerts fire")
        before = samples('ALERTS{alertname="TooHigh",alertstate="firing"}')
        until(lambda: samples('ALERTS{alertname="TooHigh",alertstate="firing"}') >= before + 4, "they fire for a while")
        run.rollback_at = time.time()
        target.body = QUIET
        until(lambda: set(states().values()) == {"inactive"}, "both are over")
        before = samples("job:x:max")
        until(lambda: samples("job:x:max") >= before + 4, "they are over for a while")
        with pytest.raises(NothingToExport, match="it is not over"):
            lived(prometheus, run, loaded_rules(folder), ["TooHigh"])
        run.ended_at = time.time()
        course = lived(prometheus, run, loaded_rules(folder), ["TooHigh", "OtherGone", "LongAgo"])
    assert len(course.lives["TooHigh"]) == 1
    assert course.lives["OtherGone"], "it fires once more where the first evaluation comes before the first scrape"
    other = next(one for one in course.series if dict(one.labels)["__name__"] == "other")
    assert other.stale().sum() == 1
    rules = loaded_rules(folder)
    test = tmp_path / "live.test.yml"
    made = export(course, rules, test)
    assert made.alerts == ("TooHigh", "OtherGone")
    assert made.firing >= 2
    assert "app is at 5" in made.text
    assert any("LongAgo is not tested: it looks back 3h" in note for note in made.notes)
    ((name, text),) = made.rules
    assert "LongAgo" not in text, "a copy of the rules has what is needed of them"
    (tmp_path / name).write_text(text, encoding="utf-8")
    test.write_text(made.text, encoding="utf-8")
    assert "SUCCESS" in promtool.test(test)
