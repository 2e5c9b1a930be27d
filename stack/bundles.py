"""Foreign programs on this machine: on PATH, or in the cache that keeps their bundles unpacked.

A bundle in the cache is a folder with a ``bundle.json``; it appears under its name in one rename, complete or not at
all. Nothing here reaches for the network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from stack.catalogue import (
    BUNDLES,
    OPTIONAL_BUNDLES,
    Bundle,
    UnknownProgram,
    Version,
    bundle_of,
    parse_version,
)
from stack.errors import StackError

__all__ = [
    "BUNDLES",
    "OPTIONAL_BUNDLES",
    "Bundle",
    "BundleUnusable",
    "Cache",
    "Installed",
    "Manifest",
    "UnknownProgram",
    "bundle_of",
    "home_of",
    "on_path",
    "parse_version",
    "version_of",
]

Origin = Literal["path", "release", "package"]


class BundleUnusable(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A bundle was unpacked, and its program does not run here."""

    def __init__(self, program: str, path: Path, reason: str) -> None:
        super().__init__(f"{program} from {path} does not run on this machine: {reason}")


@dataclass(frozen=True)
class Installed:
    """A program that can be started."""

    name: str
    path: Path
    version: str
    origin: Origin


class Manifest(BaseModel):
    """``bundle.json``: what an unpacked bundle is and where it came from. Paths are relative to its folder."""

    model_config = ConfigDict(frozen=True)

    bundle: str
    version: str
    origin: Origin
    source: str
    sha256: str
    programs: dict[str, str]


def version_of(program: str, path: Path, *, timeout_s: float = 10.0) -> str:
    """Ask the program at ``path`` for its version; raise ``BundleUnusable`` where it does not run or is another one."""
    try:
        answer = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=timeout_s, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleUnusable(program, path, str(error)) from error
    said = answer.stdout + answer.stderr
    match = re.search(bundle_of(program).says.format(program=re.escape(program)), said)
    if match is None:
        raise BundleUnusable(program, path, f"--version says {said.strip()[:200]!r}")
    return match.group(1)


def on_path(program: str) -> Installed | None:
    """Return ``program`` as PATH has it, unless it is missing, too old or something else of that name."""
    bundle = bundle_of(program)
    for name in bundle.programs[program]:
        found = shutil.which(name)
        if found is None:
            continue
        try:
            version = version_of(program, Path(found))
        except BundleUnusable:
            continue
        if parse_version(version) < bundle.oldest:
            continue
        place = Path(found)
        if bundle.home:
            home = home_of(program, place)
            if home is None:
                continue
            own = home / bundle.folder / program  # on PATH may be a package's script with options of its own
            place = own if own.is_file() else place
        return Installed(program, place, version, "path")
    return None


def home_of(program: str, path: Path) -> Path | None:
    """Return the folder that ``program`` at ``path`` has to be told as its home; ``None`` if it has or needs none.

    Looked at are the folder that an archive unpacks to, and where packages of Linux and of Homebrew put such things.
    """
    parts = bundle_of(program).home
    for file in dict.fromkeys((path.resolve(), path)):
        for place in _homes(program, file.parent.parent):
            if parts and all((place / part).exists() for part in parts):
                return place
    return None


def _homes(program: str, prefix: Path) -> tuple[Path, ...]:
    return (prefix, prefix / "share" / program)


class Cache:
    """Unpacked bundles under ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def downloads(self) -> Path:
        """Where archives lie while they are fetched; what a killed download left is gone on with."""
        return self.root / "downloads"

    @property
    def lock_path(self) -> Path:
        """Held while something is fetched."""
        return self.root / "fetch.lock"

    def find(self, program: str) -> Installed | None:
        """Return ``program`` from the newest bundle that has it."""
        bundle = bundle_of(program)
        found: list[tuple[Version, Installed]] = []
        for path in self.root.glob(f"{bundle.name}-*/bundle.json"):
            try:
                manifest = Manifest.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue
            relative = manifest.programs.get(program)
            if relative is not None and (path.parent / relative).is_file():
                installed = Installed(program, path.parent / relative, manifest.version, manifest.origin)
                found.append((parse_version(manifest.version), installed))
        return max(found, key=lambda pair: pair[0])[1] if found else None

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """Give an empty folder on the cache's own disk, gone at the end. Call with the lock held."""
        self.root.mkdir(parents=True, exist_ok=True)
        for abandoned in self.root.glob(".work-*"):  # of a process that was killed: the lock is ours
            shutil.rmtree(abandoned, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=self.root, prefix=".work-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def adopt(self, folder: Path, bundle: Bundle, manifest: Callable[[str], Manifest]) -> None:
        """Check that the programs in ``folder`` run, add the manifest and give the folder its name.

        ``manifest`` is called with the version that the bundle's first program gives. Raises ``BundleUnusable``.
        """
        first = next(iter(bundle.programs))
        draft = manifest("")
        versions = {name: version_of(name, folder / relative) for name, relative in draft.programs.items()}
        version = versions[first]
        if parse_version(version) < bundle.oldest:
            oldest = ".".join(map(str, bundle.oldest))
            raise BundleUnusable(first, folder, f"version {version} is too old; {oldest} or newer is needed")
        final = manifest(version)
        (folder / "bundle.json").write_text(final.model_dump_json(indent=1), encoding="utf-8")
        target = self.root / f"{bundle.name}-{final.origin}-{version}"
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)
