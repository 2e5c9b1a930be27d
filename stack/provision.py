"""Find the foreign programs or fetch them: PATH, the cache, an official release, a Debian package, a clear error.

Nothing is installed system-wide and nothing is asked. Two processes that fetch at once take turns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stack.browser import find_chromium, install_chromium
from stack.bundles import Bundle, BundleUnusable, Cache, Installed, bundle_of, on_path
from stack.downloads import ChecksumMismatch, OnProgress, Progress, fetch_release
from stack.errors import StackError
from stack.home import cache_dir, is_offline
from stack.locks import FileLock
from stack.packages import PackageFailed, fetch_package
from stack.releases import DownloadFailed

__all__ = [
    "ProgramMissing",
    "fetch_bundle",
    "find_chromium",
    "find_program",
    "install_chromium",
    "locate",
    "provision",
]

WAIT_FOR_OTHERS_S = 900.0


class ProgramMissing(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A program was found nowhere and could not be fetched."""

    def __init__(self, names: Sequence[str], tried: Iterable[str]) -> None:
        self.names, self.tried = tuple(names), tuple(tried)
        bundles = list({bundle.name: bundle for bundle in map(bundle_of, names)}.values())
        packages = " ".join(bundle.package for bundle in bundles if bundle.package)
        formulas = " ".join(bundle.formula for bundle in bundles if bundle.formula)
        ways = [
            *([f"`apt-get install {packages}` on Debian or Ubuntu"] if packages else []),
            *([f"`brew install {formulas}` on macOS"] if formulas else []),
            f"a release from {' and '.join(bundle.address for bundle in bundles)}, unpacked",
        ]
        super().__init__(
            f"{' and '.join(names)} not found; tried: {'; '.join(self.tried)}. "
            f"Install it so that it is on PATH: {', or '.join(ways)}"
        )


def say_nothing(_progress: Progress) -> None:
    """Take a progress report and do nothing."""


def locate(name: str, *, cache: Path | None = None) -> Installed | None:
    """Return where the program ``name`` is, from PATH or the cache; ``None`` if nowhere. Never fetches."""
    return on_path(name) or Cache(_programs(cache)).find(name)


def find_program(name: str, *, on_progress: OnProgress = say_nothing) -> Path:
    """Return the file of the program ``name``, fetched where it is missing. Raises ``ProgramMissing``."""
    return provision([name], on_progress=on_progress)[name]


def provision(
    names: Iterable[str],
    *,
    on_progress: OnProgress = say_nothing,
    cache: Path | None = None,
    releases_url: str | None = None,
) -> Mapping[str, Path]:
    """Return the file of every named program, having fetched those that were missing.

    ``releases_url`` (else ``FIREDRILL_RELEASES_URL``) is the root of a mirror, in place of the publishers' own hosts.
    Raises ``ProgramMissing`` with all that was tried, and ``ChecksumMismatch`` for a release that was tampered with.
    """
    wanted = list(dict.fromkeys(names))
    store = Cache(_programs(cache))
    found = {name: installed.path for name in wanted if (installed := locate(name, cache=cache))}
    missing = [name for name in wanted if name not in found]
    if not missing:
        return found
    if is_offline():
        raise ProgramMissing(missing, ["PATH", str(store.root), "nothing else, since FIREDRILL_OFFLINE is set"])
    mirror = releases_url or os.environ.get("FIREDRILL_RELEASES_URL") or None
    lock = FileLock(store.lock_path)
    _take_turns(lock, on_progress, missing[0])
    try:
        for name in missing:
            installed = store.find(name)  # by its bundle, fetched a moment ago by us or by another process
            if installed is None:
                tried = fetch_bundle(bundle_of(name), store, mirror, on_progress)
                installed = store.find(name)
                if installed is None:
                    raise ProgramMissing([name], ["PATH", str(store.root), *tried])
            found[name] = installed.path
    finally:
        lock.release()
    return found


def _programs(cache: Path | None) -> Path:
    return (cache or cache_dir()) / "programs"


def _take_turns(lock: FileLock, on_progress: OnProgress, name: str) -> None:
    deadline = time.monotonic() + WAIT_FOR_OTHERS_S
    while not lock.acquire(within_s=1.0):
        on_progress(Progress(bundle_of(name).name, "waiting for another Firedrill that is fetching"))
        if time.monotonic() > deadline:
            raise ProgramMissing([name], [f"another process has been fetching for {WAIT_FOR_OTHERS_S:g} s"])


def fetch_bundle(bundle: Bundle, store: Cache, mirror: str | None, on_progress: OnProgress) -> list[str]:
    """Fetch ``bundle`` into ``store`` from the first source that has it; return in words what failed before.

    Raises ``ChecksumMismatch``. Nothing is in ``store`` where all failed.
    """
    tried: list[str] = []
    try:
        fetch_release(bundle, store, mirror=mirror, on_progress=on_progress)
    except ChecksumMismatch:
        raise
    except (DownloadFailed, BundleUnusable) as error:
        tried.append(str(error))
    else:
        return tried
    if not bundle.package:
        return tried
    on_progress(Progress(bundle.name, f"no release ({tried[0]}); trying the Debian package {bundle.package}"))
    try:
        fetch_package(bundle, store, on_progress=on_progress)
    except (PackageFailed, BundleUnusable) as error:
        tried.append(str(error))
    return tried
