"""What drift detection costs a request."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from panel.bench.figures import Figure
from panel.bench.service.contenders import Bench, python_path
from panel.bench.service.processes import on_core
from panel.commands.console import CommandError


def measure(bench: Bench, say: Callable[[str], None]) -> list[Figure]:
    """Time the check of the housing model, which has 13 features, in a process of its own."""
    say("drift detection")
    with on_core(bench.cores.server):
        done = subprocess.run(
            [sys.executable, "-m", "panel.bench.service.programs.drift_cost", str(bench.artifacts)],
            capture_output=True,
            text=True,
            check=False,
            cwd=bench.folder,
            env={**os.environ, **python_path()},
        )
    if done.returncode != 0:
        raise CommandError(f"the benchmark of drift detection broke: {done.stderr[-2000:]}")
    microseconds = round(float(done.stdout), 1)
    return [Figure("drift detection of a request of 13 features", microseconds, "µs", 30.0)]
