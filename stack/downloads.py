"""Official release archives: fetched, resumed, held against the checksums that their publisher lists, unpacked.

Whatever does not match its published SHA-256 is deleted and never unpacked.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from stack.bundles import Bundle, Cache, Manifest
from stack.errors import StackError

RELEASES_URL = "https://github.com"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
TELL_EVERY_S = 0.25


@dataclass(frozen=True)
class Progress:
    """How far the fetching of a bundle is. ``total_bytes`` is ``None`` where it is not known."""

    bundle: str
    text: str
    done_bytes: int = 0
    total_bytes: int | None = None


OnProgress = Callable[[Progress], None]


class DownloadFailed(StackError):  # noqa: N818 - reads as a fact where it is raised
    """An archive could not be fetched."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"{url} could not be fetched: {reason}")


class ChecksumMismatch(StackError):  # noqa: N818 - as above
    """An archive is not what its publisher published. It was deleted."""

    def __init__(self, url: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{url} has SHA-256 {actual}, its publisher lists {expected}: refused and deleted; "
            "try again, and if it stays so, something between here and there changes files"
        )


def platform_name() -> str | None:
    """Return this machine as release archives name it, such as ``linux-amd64``; ``None`` where there is no archive."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    return f"{system}-{machine}" if system and machine else None


def fetch_release(bundle: Bundle, cache: Cache, *, releases_url: str, on_progress: OnProgress) -> None:
    """Fetch the pinned release of ``bundle`` into ``cache``.

    Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``BundleUnusable``. Call with the cache's lock held.
    """
    here = platform_name()
    if here is None:
        raise DownloadFailed(releases_url, f"no release for {sys.platform} on {platform.machine()}")
    stem = f"{bundle.name}-{bundle.release}.{here}"
    folder = f"{releases_url.rstrip('/')}/{bundle.repository}/releases/download/v{bundle.release}"
    url = f"{folder}/{stem}.tar.gz"
    archive = cache.downloads / f"{stem}.tar.gz"
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        expected = _published_hash(client, f"{folder}/sha256sums.txt", archive.name)
        _download(client, url, archive, lambda done, total: on_progress(Progress(bundle.name, url, done, total)))
    actual = _hash_of(archive)
    if actual != expected:
        archive.unlink()
        raise ChecksumMismatch(url, expected, actual)
    on_progress(Progress(bundle.name, f"unpacking {archive.name}"))
    with cache.workplace() as workplace:
        unpacked = workplace / "bundle"
        _unpack(archive, stem, unpacked, (*bundle.programs, "LICENSE", "NOTICE"))
        programs = {name: name for name in bundle.programs}
        cache.adopt(
            unpacked,
            bundle,
            lambda version: Manifest(
                bundle=bundle.name, version=version, origin="release", source=url, sha256=actual, programs=programs
            ),
        )
    archive.unlink()


def _published_hash(client: httpx.Client, url: str, name: str) -> str:
    try:
        answer = client.get(url).raise_for_status()
    except httpx.HTTPError as error:
        raise DownloadFailed(url, str(error) or type(error).__name__) from error
    for line in answer.text.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1].lstrip("*") == name:
            return fields[0].lower()
    raise DownloadFailed(url, f"it lists no checksum for {name}")


def _download(client: httpx.Client, url: str, archive: Path, tell: Callable[[int, int | None], None]) -> None:
    """Fetch ``url`` to ``archive``, going on where an earlier attempt was cut off."""
    if archive.exists():
        return
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_name(archive.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    try:
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:  # it was complete already
                part.replace(archive)
                return
            answer.raise_for_status()
            resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
            done = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else None
            told_at = 0.0
            with part.open("ab" if resumed else "wb") as stream:
                for chunk in answer.iter_raw():
                    stream.write(chunk)
                    done += len(chunk)
                    if time.monotonic() >= told_at + TELL_EVERY_S:
                        tell(done, total)
                        told_at = time.monotonic()
    except (httpx.HTTPError, OSError) as error:
        raise DownloadFailed(url, str(error) or type(error).__name__) from error
    part.replace(archive)


def _hash_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(archive: Path, stem: str, target: Path, names: tuple[str, ...]) -> None:
    """Write the named files of the archive's one folder, and nothing else, into ``target``."""
    target.mkdir()
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            folder, _, name = member.name.partition("/")
            if member.isfile() and folder == stem and name in names:
                stream = tar.extractfile(member)
                if stream is not None:
                    (target / name).write_bytes(stream.read())
                    (target / name).chmod(0o755 if member.mode & 0o100 else 0o644)
