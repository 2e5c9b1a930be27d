"""A bundle is made: sizes said, wheels and programs fetched, the project copied, everything hashed, then named.

It grows in ``DIR.part`` and takes its name in one rename, so that a run which was killed leaves nothing that looks
complete; the same command goes on with what it left.
"""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stack.component import ROOT
from stack.kit import chromium, programs, project, sizes, wheels
from stack.kit.errors import KitDamaged, NoRoom, OutBusy, OutTaken
from stack.kit.inspection import FORMAT, MANIFEST, problems, sha256_of, this_platform, this_python
from stack.locks import FileLock

TEMPLATES = sizes.TABLE.parent
OnText = Callable[[str], None]
RUN = ("requirements.txt",)
TEST = (*RUN, "requirements-test.txt", "requirements-mlflow.txt")


@dataclass(frozen=True)
class Wanted:
    """What goes into a bundle. ``root`` is the checkout that it is made of."""

    out: Path
    test: bool = False
    chromium: bool = True
    root: Path = ROOT


@dataclass(frozen=True)
class Made:
    """A finished bundle: where it lies, its size in bytes, how many files it has, what was left out and why."""

    out: Path
    size_bytes: int
    files: int
    left_out: Sequence[str]


def make(
    wanted: Wanted,
    on_text: OnText,
    *,
    collect: Callable[[Path, OnText], Sequence[str]] = programs.collect,
) -> Made:
    """Make the bundle. ``collect`` brings the programs into a folder and says what they are.

    Raises ``OutTaken``, ``OutBusy``, ``NoRoom``, ``NoCheckout``, ``WheelsMissing``, ``ProgramsMissing``.
    """
    out = wanted.out.expanduser().resolve()
    if out.exists():
        raise OutTaken(out)
    part = out.with_name(out.name + ".part")
    lock = FileLock(part / ".lock")
    if not lock.acquire():
        raise OutBusy(out)
    try:
        return _make(wanted, out, part, on_text, collect)
    finally:
        lock.release()


def _make(
    wanted: Wanted, out: Path, part: Path, on_text: OnText, collect: Callable[[Path, OnText], Sequence[str]]
) -> Made:
    estimate = sizes.of_bundle(test=wanted.test, chromium=wanted.chromium)
    on_text(f"to download at most: {estimate}; what an earlier run has fetched is not fetched again")
    needed_mb, free_mb = 1.2 * estimate.total_mb, shutil.disk_usage(part).free / 1e6
    if free_mb + _size(part) / 1e6 < needed_mb:
        raise NoRoom(part, free_mb, needed_mb)
    project.copy(wanted.root, part / "project")
    requirements = [part / "project" / name for name in (TEST if wanted.test else RUN)]
    wheels.fetch(requirements, part / "wheels", on_text)
    on_text("working out an installation from these wheels alone")
    wheels.check(requirements, part / "wheels")
    contents = [f"{len(list((part / 'wheels').glob('*.whl')))} wheels", *collect(part / "programs", on_text)]
    left_out = []
    if wanted.chromium:
        on_text("fetching Chromium by Playwright")
        if problem := chromium.fetch(part / "browsers"):
            left_out.append(f"Chromium: {problem}")
            shutil.rmtree(part / "browsers", ignore_errors=True)
        else:
            contents.append("Chromium")
    _write_texts(part, contents, left_out)
    on_text("hashing every file")
    files = _hashed(part)
    _write_manifest(part, files, contents, left_out)
    if found := problems(part):
        raise KitDamaged(found)
    (part / ".lock").unlink(missing_ok=True)
    part.replace(out)
    return Made(out, _size(out), len(files), tuple(left_out))


def _write_texts(part: Path, contents: Sequence[str], left_out: Sequence[str]) -> None:
    launcher = part / "firedrill"
    shutil.copyfile(TEMPLATES / "firedrill.sh", launcher)
    launcher.chmod(0o755)
    text = (TEMPLATES / "README.md").read_text(encoding="utf-8")
    words = {
        "version": _version(part),
        "made_at": datetime.now(tz=UTC).strftime("%Y-%m-%d"),
        "platform": this_platform(),
        "python": this_python(),
        "contents": ", ".join(contents),
        "left_out": f"Left out: {'; '.join(left_out)}." if left_out else "",
    }
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    (part / "README.md").write_text(text, encoding="utf-8")


def _hashed(part: Path) -> Mapping[str, Mapping[str, object]]:
    kept = (path for path in sorted(part.rglob("*")) if path.is_file() and path.name not in {MANIFEST, ".lock"})
    return {
        path.relative_to(part).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in kept
    }


def _write_manifest(
    part: Path, files: Mapping[str, Mapping[str, object]], contents: Sequence[str], left_out: Sequence[str]
) -> None:
    document = {
        "format": FORMAT,
        "version": _version(part),
        "made_at": time.time(),
        "platform": this_platform(),
        "python": this_python(),
        "contents": list(contents),
        "left_out": list(left_out),
        "files": files,
    }
    partial = part / f".{MANIFEST}"
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    partial.replace(part / MANIFEST)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _version(part: Path) -> str:
    described = tomllib.loads((part / "project" / "pyproject.toml").read_text(encoding="utf-8"))
    return str(described["project"]["version"])
