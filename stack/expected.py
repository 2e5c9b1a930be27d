"""Ends that somebody brings about on purpose: while they are announced, the supervisor gives a component up for none.

One small file for each component in the home's ``run`` folder, with the Unix second until which it holds, so that it
is worth nothing any more when whoever wrote it is gone. It ends and starts nothing itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from stack.home import Home


def expect_ends(home: Home, component: str, until: float) -> None:
    """Announce that ``component`` may end at any time until ``until``, Unix seconds."""
    path = _path(home, component)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(str(until), encoding="ascii")
    partial.replace(path)


def ends_are_expected(home: Home, component: str) -> bool:
    """Return whether an end of ``component`` is expected now."""
    try:
        return time.time() < float(_path(home, component).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return False


def _path(home: Home, component: str) -> Path:
    return home.run / "expected" / component
