"""How long a warm start takes, and how much memory the whole stack holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psutil

from panel.bench.figures import Figure
from panel.bench.workplace import workplace
from stack.status import read_status

STARTS = 3
SETTLE_S = 20.0


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Start a stack once cold and then warm; return the warm start's median and the memory after some traffic."""
    with workplace() as place:
        say("a cold start, which trains the models")
        place.up()
        times = []
        for turn in range(STARTS):
            place.down()
            say(f"warm start {turn + 1} of {STARTS}")
            started = time.monotonic()
            place.up()
            times.append(time.monotonic() - started)
        say(f"memory after {SETTLE_S:.0f} s of traffic")
        time.sleep(SETTLE_S)
        supervisor = read_status(place.home).supervisor_pid
        assert supervisor is not None, "the stack is up"  # noqa: S101 - place.up() has returned
        root = psutil.Process(supervisor)
        memory = sum(_proportional_bytes(process) for process in [root, *root.children(recursive=True)])
    return [
        Figure(
            "warm `up --detach` until everything is ready, median of 3", round(statistics.median(times), 2), "s", 10.0
        ),
        Figure("memory of all processes together", round(memory / 1e6), "MB", 1000.0),
    ]


def _proportional_bytes(process: psutil.Process) -> int:
    """Return a process's memory in bytes, shared pages divided among those that share them (its RSS where untold)."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.rss))
