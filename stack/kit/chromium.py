"""Chromium for a bundle: the one that Playwright fetches, which runs from its own folder.

Where it cannot be had the bundle goes without. Pictures of pages and the browser tests need it, nothing else.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 900.0


def fetch(folder: Path) -> str:
    """Have Playwright fetch its Chromium into ``folder``; return in words why there is none, empty where there is."""
    if importlib.util.find_spec("playwright") is None:
        return "Playwright is not installed here (it comes with `firedrill bundle --test` and `firedrill test`)"
    environment = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(folder)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode != 0:
        return " ".join((done.stderr or done.stdout).split())[-200:]
    return ""
