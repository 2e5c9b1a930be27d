"""How much memory a process may still take before it harms its machine. It asks the kernel and nobody else."""

from __future__ import annotations

import os
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int | None:
    """Return what is left of memory, in bytes: the machine's, or the container's where that is less.

    ``None`` where the system does not say. Source: proc(5), ``MemAvailable``; Linux's cgroup-v2, ``memory.max``.
    """
    found = [value for value in (_of_machine(meminfo), _of_container(cgroup)) if value is not None]
    return min(found) if found else None


def _of_machine(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _of_container(cgroup: Path) -> int | None:
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        return int(limit) - int((cgroup / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
