"""How much memory a virtual drill takes: the peak of our process and of the engine, while the command line runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from panel.bench.check.half_hour import TEXT
from panel.bench.figures import Figure
from panel.commands.console import CommandError

MOST_MB = 500.0
_POLL_S = 0.02


def measure_memory(say: Callable[[str], None], home: Path) -> list[Figure]:
    """Return the sum of the peaks of all processes of ``firedrill drill run --virtual``, models trained already."""
    say("the memory of a virtual drill")
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-") as folder:
        file = Path(folder) / "half-hour.yaml"
        file.write_text(TEXT, encoding="utf-8")
        command = [
            "drill",
            "run",
            str(file),
            "--virtual",
            "--pace",
            "production",
            "--html",
            str(file.with_suffix(".html")),
        ]
        peaks = _peaks([sys.executable, "-m", "panel.cli", *command], {**os.environ, "FIREDRILL_HOME": str(home)})
    ours = sum(size for name, size in peaks.values() if name != "prometheus") / 1e6
    engine = sum(size for name, size in peaks.values() if name == "prometheus") / 1e6
    return [
        Figure("peak memory of a virtual drill, our process and the engine", round(ours + engine), "MB", MOST_MB),
        Figure("of it: our process", round(ours), "MB"),
        Figure("of it: the engine", round(engine), "MB"),
    ]


def _peaks(command: list[str], environment: dict[str, str]) -> dict[int, tuple[str, int]]:
    """Return name and peak of the resident set of each process of ``command``, by its id, in bytes."""
    peaks: dict[int, tuple[str, int]] = {}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        root = psutil.Process(running.pid)
        while running.poll() is None:
            for process in (root, *_children(root)):
                found = _peak(process)
                if found is not None and found[1] >= peaks.get(process.pid, found)[1]:  # one that has ended says 0
                    peaks[process.pid] = found
            time.sleep(_POLL_S)
        said = running.stderr.read() if running.stderr is not None else ""
    if running.returncode != 0:
        raise CommandError(f"the benchmark's drill ended with {running.returncode}: {said}")
    return peaks


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.Error:
        return []


def _peak(process: psutil.Process) -> tuple[str, int] | None:
    """Return the high-water mark of the resident set where the system keeps one, else what it is now."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii", errors="replace")
        mark = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
        return process.name(), mark
    except OSError:
        pass
    try:
        return process.name(), int(process.memory_info().rss)
    except psutil.Error:
        return None
