"""The programs that a bundle takes along: from this machine's cache, else fetched as `firedrill up` would fetch them.

What lies on PATH is not copied: it belongs to this machine, and may need more than its one file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from stack.bundles import BUNDLES, Bundle, Cache
from stack.downloads import Progress
from stack.errors import StackError
from stack.home import cache_dir
from stack.kit.errors import ProgramsMissing
from stack.provision import fetch_bundle

OnText = Callable[[str], None]


def collect(
    folder: Path, on_text: OnText, *, bundles: Sequence[Bundle] = BUNDLES, known: Path | None = None
) -> list[str]:
    """Put every program into ``folder``, a cache of its own; return what they are, such as ``prometheus 3.14.0``.

    ``known`` is where this machine keeps its programs. Raises ``ProgramsMissing`` and ``ChecksumMismatch``.
    """
    store = Cache(folder)
    here = Cache(known or cache_dir() / "programs")
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        if progress.text not in said:
            said.add(progress.text)
            on_text(progress.text)

    found: list[str] = []
    for bundle in bundles:
        first = next(iter(bundle.programs))
        if store.find(first) is None:
            _take(bundle, first, here, store)
        if store.find(first) is None:
            tried = _fetch(bundle, store, tell)
            if store.find(first) is None:
                raise ProgramsMissing(bundle.name, tried, folder)
        installed = store.find(first)
        if installed is not None:
            found.append(f"{bundle.name} {installed.version}")
    shutil.rmtree(store.downloads, ignore_errors=True)
    store.lock_path.unlink(missing_ok=True)
    return found


def _take(bundle: Bundle, program: str, here: Cache, store: Cache) -> None:
    """Copy a bundle of this machine's cache, in one step."""
    installed = here.find(program)
    if installed is None:
        return
    source = next(parent for parent in installed.path.parents if (parent / "bundle.json").is_file())
    with store.workplace() as workplace:
        copied = workplace / bundle.name
        shutil.copytree(source, copied, symlinks=True)
        copied.replace(store.root / source.name)


def _fetch(bundle: Bundle, store: Cache, tell: Callable[[Progress], None]) -> Sequence[str]:
    try:
        return fetch_bundle(bundle, store, os.environ.get("FIREDRILL_RELEASES_URL") or None, tell)
    except StackError as problem:
        return [str(problem)]
