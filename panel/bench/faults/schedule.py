"""How well the traffic generator keeps a fast schedule: against a server that does nothing, in a process of its own."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from faults.traffic.load import LoadReport
from panel.bench.figures import Figure
from panel.bench.service.processes import Cores, free_port, on_core, serving
from panel.commands.console import CommandError

RATE = 2000
SECONDS = 8
ROUNDS = 3
MOST_LATE = 0.01


def measure(say: Callable[[str], None], *, seconds: int = SECONDS, rounds: int = ROUNDS) -> list[Figure]:
    """Send the schedule several times; return the median share of late starts and what became of the requests."""
    cores = Cores.of_this_machine()
    port, late, sent, answered = free_port(), [], [], []
    root = Path(__file__).resolve().parents[3]
    with (
        tempfile.TemporaryDirectory(prefix="firedrill-bench-", ignore_cleanup_errors=True) as folder,
        serving(
            "null server",
            [sys.executable, "-m", "panel.bench.faults.programs.null_server", str(port)],
            port=port,
            ready="/model-info",
            core=cores.server,
            folder=Path(folder),
            environment={"PYTHONPATH": str(root)},
        ) as server,
    ):
        for turn in range(rounds):
            say(f"{RATE} requests/s for {seconds} s, round {turn + 1} of {rounds}")
            report = _send(server.url, seconds, cores.load, seed=turn)
            late.append(report.late_share)
            sent.append(report.sent / report.scheduled)
            answered.append(report.statuses.get("200", 0) / report.scheduled)
    return [
        Figure(
            f"starts more than 5 ms late at {RATE} requests/s, median of {rounds}",
            round(statistics.median(late), 5),
            "ratio",
            MOST_LATE,
        ),
        Figure("the same, worst round", round(max(late), 5), "ratio"),
        Figure("scheduled requests that were sent, median", round(statistics.median(sent), 5), "ratio"),
        Figure("scheduled requests that were answered 200, median", round(statistics.median(answered), 5), "ratio"),
    ]


def _send(url: str, seconds: int, core: int | None, *, seed: int) -> LoadReport:
    command = [sys.executable, "-m", "faults.traffic", "load", "--url", url, "--rate", str(RATE)]
    with on_core(core):
        done = subprocess.run(
            [*command, "--for", f"{seconds}s", "--seed", str(seed), "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise CommandError(f"the traffic generator failed in the benchmark: {done.stderr}")
    return LoadReport.model_validate_json(done.stdout)
