"""Private folders of running processes, and the removal of those whose process has died."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

CLOCK_SLACK_S = 10.0
"""How far the start time of one process may differ between two looks, when the system's clock is set in between."""


def open_scratch(root: Path) -> Path:
    """Make and return this process's own folder in ``root``; remove the folders of dead processes there."""
    root.mkdir(parents=True, exist_ok=True)
    for folder in root.iterdir():
        if not _lives(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
    process = psutil.Process(os.getpid())
    own = root / f"{process.pid}-{int(process.create_time())}"
    own.mkdir(exist_ok=True)
    return own


def _lives(name: str) -> bool:
    """Return whether the process that made the folder ``name`` still runs, and not a later one with its id."""
    pid, _, created = name.partition("-")
    if not (pid.isdigit() and created.isdigit()):
        return False
    try:
        return abs(psutil.Process(int(pid)).create_time() - int(created)) <= CLOCK_SLACK_S
    except psutil.Error:
        return False
