"""The benchmarks of virtual drills measure what they say: half an hour, the whole corpus, every process."""

from __future__ import annotations

import sys

import pytest

from faults.drills.rehearsal.ground import shipped_ground
from faults.drills.rehearsal.objections import objections
from faults.drills.rehearsal.scenario import longest_recovery_s, scenario_of
from panel.bench.check.corpus import measure_corpus
from panel.bench.check.drill import Round
from panel.bench.check.half_hour import LASTS_S, burn_s, half_hour
from panel.bench.check.memory import _peaks
from panel.commands.console import CommandError
from stack.pace import PRODUCTION

MANY = 80_000_000


def test_the_drill_takes_half_an_hour_at_two_requests_a_second() -> None:
    """Calm, burn and recovery are 1,800 s and a little more; it can run, and burns longer than its alert needs."""
    drill, ground = half_hour(), shipped_ground(PRODUCTION)
    assert objections(drill, ground) == ()
    scenario = scenario_of(
        drill,
        ground,
        1,
        burn_s=burn_s(drill, ground),
        recovery_s=longest_recovery_s(drill, ground),
        metrics=None,
        scrape_phases=1,
        traces=False,
    )
    assert LASTS_S <= scenario.lasts_s < LASTS_S + PRODUCTION.interval_s  # the seed lights it within an interval
    assert scenario.traffic.rate >= 2.0
    assert scenario.calm_s - scenario.settling_s < 60.0  # before that a stack has its own traffic
    assert scenario.burn_s > drill.expect[0].firing_within
    assert Round(1.0, 2.0, 3.0).whole_s == 6.0


def test_the_corpus_is_judged_without_a_wrong_verdict() -> None:
    """All rules of the corpus are read and checked, and the figures say how many, and how many wrongly."""
    figures = {one.figure: one for one in measure_corpus(lambda _: None, rounds=1)}
    assert figures["wrong verdicts in the corpus"].value == 0
    assert figures["rules in the corpus"].holds
    assert figures["the checks over the corpus, read and checked"].value


def test_the_peak_of_each_process_counts_even_where_it_has_ended() -> None:
    """The high-water marks of a program and of its child are kept; a program that fails is an error."""
    program = f"""
import subprocess, sys, time
held = bytearray({MANY})
child = subprocess.Popen([sys.executable, "-c", "import time; b = bytearray({MANY}); time.sleep(0.6)"])
child.wait()
"""
    peaks = _peaks([sys.executable, "-c", program], {})
    assert len([size for _, size in peaks.values() if size > MANY]) == 2
    with pytest.raises(CommandError, match=r"ended with 3: .*oh no"):
        _peaks([sys.executable, "-c", "import sys; sys.stderr.write('oh no'); sys.exit(3)"], {})
