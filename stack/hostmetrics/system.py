"""Processors, load, memory, time and identity of this machine. Every function reads once and keeps nothing."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from stack.hostmetrics.families import (
    BOOT_TIME,
    CONTEXT_SWITCHES,
    CPU_GUEST_SECONDS,
    CPU_SECONDS,
    INTERRUPTS,
    LOADS,
    TIME,
    UNAME,
    Reading,
    memory,
)

PROC = Path("/proc")
MODES = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")
GUESTS = {"user": "guest", "nice": "guest_nice"}


def read_cpu() -> Iterator[Reading]:
    """Read seconds of each processor by mode; those of guests are in ``user`` and ``nice`` too."""
    times = psutil.cpu_times(percpu=True)
    yield Reading(CPU_SECONDS, _by_mode(times, {mode: mode for mode in MODES}))
    if guests := _by_mode(times, GUESTS):
        yield Reading(CPU_GUEST_SECONDS, guests)


def _by_mode(times: Sequence[object], fields: dict[str, str]) -> list[tuple[tuple[str, ...], float]]:
    """Return the values of those fields that this system counts, by processor and mode."""
    return [
        ((str(number), mode), float(getattr(one, name)))
        for number, one in enumerate(times)
        for mode, name in fields.items()
        if hasattr(one, name)
    ]


def read_load() -> Iterator[Reading]:
    """Read the load averages of 1, 5 and 15 minutes."""
    for family, value in zip(LOADS, psutil.getloadavg(), strict=True):
        yield Reading(family, [((), value)])


def read_memory() -> Iterator[Reading]:
    """Read memory and swap, in bytes.

    On Linux these are all fields of ``/proc/meminfo``, since psutil adds reclaimable slabs to the cache and
    node_exporter does not. Elsewhere they are the few that Linux and other systems mean the same by.
    """
    place = PROC / "meminfo"
    fields = _meminfo(place.read_text(encoding="ascii")) if place.is_file() else _portable_memory()
    for field, value in fields.items():
        yield Reading(memory(field), [((), value)])


def _meminfo(text: str) -> dict[str, float]:
    fields: dict[str, float] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words:
            field = re.sub(r"\((.*)\)", r"_\1", name.strip())
            scale, suffix = (1024, "_bytes") if words[1:] == ["kB"] else (1, "")
            fields[field + suffix] = float(words[0]) * scale
    return fields


def _portable_memory() -> dict[str, float]:
    physical, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "MemTotal_bytes": physical.total,
        "MemAvailable_bytes": physical.available,
        "MemFree_bytes": physical.free,
        "SwapTotal_bytes": swap.total,
        "SwapFree_bytes": swap.free,
    }


def read_stat() -> Iterator[Reading]:
    """Read the time of boot, and on Linux context switches and interrupts since then."""
    yield Reading(BOOT_TIME, [((), psutil.boot_time())])
    if psutil.LINUX:
        counted = psutil.cpu_stats()
        yield Reading(CONTEXT_SWITCHES, [((), counted.ctx_switches)])
        yield Reading(INTERRUPTS, [((), counted.interrupts)])


def read_time() -> Iterator[Reading]:
    """Read the clock, in seconds since the epoch."""
    yield Reading(TIME, [((), time.time())])


def read_uname() -> Iterator[Reading]:
    """Read what the system calls itself."""
    name, place = os.uname(), PROC / "sys" / "kernel" / "domainname"
    domain = place.read_text(encoding="utf-8").strip() if place.is_file() else ""
    yield Reading(UNAME, [((name.sysname, name.release, name.version, name.machine, name.nodename, domain), 1.0)])
