"""Debian and Ubuntu packages, unpacked into the cache: no root, nothing installed, no service started.

apt checks what it downloads against its signed lists. Where this machine has no lists, private ones are fetched.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from stack.bundles import Bundle, Cache, Manifest
from stack.downloads import OnProgress, Progress
from stack.errors import StackError

DOWNLOAD_TIMEOUT_S = 600.0
OnText = Callable[[str], None]
DATA_DESCRIPTOR = b"/proc/self/fd/9"
WRAPPER = """#!/bin/sh
# Debian's build looks for its data in {data}; here they lie beside the program, as open file 9.
here=${{0%/*}}/..
exec 9<"$here{data}"
exec "$here/usr/bin/{binary}" "$@"
"""


class PackageFailed(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A Debian package could not be fetched or unpacked."""

    def __init__(self, package: str, reason: str) -> None:
        super().__init__(f"the Debian package {package} could not be unpacked: {reason}")


def fetch_package(bundle: Bundle, cache: Cache, *, on_progress: OnProgress) -> None:
    """Fetch the Debian package of ``bundle`` into ``cache``.

    Raises ``PackageFailed`` or ``BundleUnusable``. Call with the cache's lock held.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PackageFailed(bundle.package, f"this machine has no {tool}")
    with cache.workplace() as workplace:

        def tell(text: str) -> None:
            on_progress(Progress(bundle.name, text))

        apt = _Apt(workplace)
        deb = apt.download(bundle.package, tell)
        unpacked = workplace / "bundle"
        for archive in (deb, *_assets(bundle, apt, tell)):
            tell(f"unpacking {archive.name}")
            _run(["dpkg-deb", "-x", str(archive), str(unpacked)], bundle.package, workplace)
        programs = {name: _place(bundle, name, unpacked) for name in bundle.programs}
        missing = [name for name, place in programs.items() if place is None]
        if missing:
            raise PackageFailed(bundle.package, f"{deb.name} has no {', '.join(missing)}")
        with deb.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        cache.adopt(
            unpacked,
            bundle,
            lambda version: Manifest(
                bundle=bundle.name,
                version=version,
                origin="package",
                source=deb.name,
                sha256=digest,
                programs={name: place for name, place in programs.items() if place is not None},
            ),
        )


def _assets(bundle: Bundle, apt: _Apt, tell: OnText) -> list[Path]:
    """Return the packages with what the program's pages need; without them it runs all the same, only less pretty."""
    found: list[Path] = []
    for package in bundle.assets:
        with contextlib.suppress(PackageFailed):
            found.append(apt.download(package, tell))
    return found


def _place(bundle: Bundle, program: str, root: Path) -> str | None:
    """Return where ``program`` is in the unpacked package, ready to run from there; ``None`` if nowhere.

    Debian compiles the folder of templates and pages into the binary, and no option moves it; without its templates
    Alertmanager does not start. As conda does with prefixes, that path is replaced by one of the same length: an open
    file, which a script in front of the binary provides.
    """
    for candidate in bundle.programs[program]:
        binary = root / "usr" / "bin" / candidate
        if not binary.is_file():
            continue
        content, fixed = binary.read_bytes(), bundle.data_folder.encode("ascii")
        if not fixed or fixed not in content:
            return f"usr/bin/{candidate}"
        binary.write_bytes(content.replace(fixed, DATA_DESCRIPTOR.ljust(len(fixed), b"/")))
        script = root / "bin" / program
        script.parent.mkdir(exist_ok=True)
        script.write_text(WRAPPER.format(data=bundle.data_folder, binary=candidate), encoding="ascii")
        script.chmod(0o755)
        return f"bin/{program}"
    return None


class _Apt:
    """apt-get without root: with the machine's package lists, else with lists fetched for this purpose alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options: list[str] = []

    def download(self, package: str, tell: OnText) -> Path:
        """Return the downloaded archive of ``package``, or raise ``PackageFailed``."""
        tell(f"apt-get download {package}")
        folder = self._folder / package
        folder.mkdir()
        try:
            self._get(folder, "download", package)
        except PackageFailed:
            if self._options:
                raise
            tell("apt-get update (private package lists)")
            self._options = _private_state(self._folder / "apt")
            self._get(folder, "update")
            self._get(folder, "download", package)
        found = sorted(folder.glob("*.deb"))
        if not found:
            raise PackageFailed(package, "apt-get downloaded nothing")
        return found[0]

    def _get(self, folder: Path, *arguments: str) -> None:
        _run(["apt-get", "--quiet", *self._options, *arguments], folder.name, folder)


def _private_state(folder: Path) -> list[str]:
    """Return apt options that keep all of its state under ``folder``, so that it needs no root."""
    for place in ("state/lists/partial", "cache/archives/partial", "log"):
        (folder / place).mkdir(parents=True)
    options = {
        "Dir::State": f"{folder}/state/",
        "Dir::State::lists": f"{folder}/state/lists/",
        "Dir::Cache": f"{folder}/cache/",
        "Dir::Log": f"{folder}/log/",
        "APT::Sandbox::User": "",
        "APT::Get::List-Cleanup": "0",
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


def _run(command: list[str], package: str, folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=DOWNLOAD_TIMEOUT_S,
            check=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        )
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or error.stdout or "").split())
        raise PackageFailed(package, f"`{' '.join(command[:1])} … {command[-1]}` failed: {said[-500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackageFailed(package, str(error)) from error
