"""Find Chromium for the browser tests, or install it: on PATH, Playwright's own, a Debian package, a clear error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from stack.errors import StackError
from stack.home import is_offline

LAUNCH_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
"""How Chromium is started for tests and pictures: without a sandbox (for root), and quiet towards the network."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLAYWRIGHT_BUILDS = (
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
INSTALL_TIMEOUT_S = 900.0
OnText = Callable[[str], None]


class ChromiumMissing(StackError):  # noqa: N818 - reads as a fact where it is raised
    """No Chromium was found and none could be installed."""

    def __init__(self, tried: Iterable[str]) -> None:
        self.tried = tuple(tried)
        super().__init__(
            f"no Chromium for the browser tests; tried: {'; '.join(self.tried)}. Install it so that it is on PATH "
            "(`apt-get install chromium` on Debian), or run `playwright install chromium`"
        )


def find_chromium() -> Path | None:
    """Return a Chromium that runs: what ``FIREDRILL_CHROMIUM`` names, from PATH, or Playwright's own."""
    for candidate in _candidates():
        if _runs(candidate):
            return candidate
    return None


def install_chromium(on_text: OnText = lambda _text: None) -> Path:
    """Return a Chromium that runs, installed where there was none. Raises ``ChromiumMissing``."""
    found = find_chromium()
    if found is not None:
        return found
    tried = ["PATH", "Playwright's cache"]
    if is_offline():
        raise ChromiumMissing([*tried, "nothing else, since FIREDRILL_OFFLINE is set"])
    for command in _installations():
        on_text(" ".join(command))
        problem = _run(command)
        found = find_chromium()
        if found is not None:
            return found
        tried.append(f"`{' '.join(command)}` ({problem or 'brought no Chromium that runs'})")
    raise ChromiumMissing(tried)


def _candidates() -> Iterable[Path]:
    named = os.environ.get("FIREDRILL_CHROMIUM")
    if named:
        yield Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found is not None:
            yield Path(found)
    for pattern in PLAYWRIGHT_BUILDS:
        yield from sorted(_playwright_cache().glob(pattern), reverse=True)


def _playwright_cache() -> Path:
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    if named and named != "0":
        return Path(named)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "ms-playwright"


def _runs(path: Path) -> bool:
    try:
        answer = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and re.search(r"Chrom(e|ium)", answer.stdout) is not None


def _installations() -> Iterable[list[str]]:
    if shutil.which("apt-get") is not None and os.geteuid() == 0:
        lists = Path("/var/lib/apt/lists")
        if not any(lists.glob("*_Packages*")):
            yield ["apt-get", "-qq", "update"]
        # Another process may be installing at this moment: wait for it.
        yield [
            "apt-get",
            "-qq",
            "-y",
            "-o",
            "DPkg::Lock::Timeout=300",
            "--no-install-recommends",
            "install",
            "chromium",
        ]
    yield [sys.executable, "-m", "playwright", "install", "chromium"]


def _run(command: list[str]) -> str:
    """Run ``command``; return in words what went wrong, empty where nothing did."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT_S,
            check=False,
            env=environment,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return " ".join((done.stderr or done.stdout).split())[-300:] if done.returncode else ""
