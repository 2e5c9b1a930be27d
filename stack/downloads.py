"""Official release archives: fetched, resumed, held against the checksums that their publisher lists, unpacked.

Whatever does not match its published SHA-256 is deleted and never unpacked.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from stack.bundles import Bundle, Cache, Manifest
from stack.errors import StackError
from stack.releases import DownloadFailed, find_release

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


class ChecksumMismatch(StackError):  # noqa: N818 - reads as a fact where it is raised
    """An archive is not what its publisher published. It was deleted."""

    def __init__(self, url: str, expected: str, actual: str) -> None:
        super().__init__(
            f"{url} has SHA-256 {actual}, its publisher lists {expected}: refused and deleted; "
            "try again, and if it stays so, something between here and there changes files"
        )


def fetch_release(bundle: Bundle, cache: Cache, *, mirror: str | None, on_progress: OnProgress) -> None:
    """Fetch the pinned release of ``bundle`` into ``cache``, from its publisher or from a ``mirror`` of it.

    Raises ``DownloadFailed``, ``ChecksumMismatch`` or ``BundleUnusable``. Call with the cache's lock held.
    """
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.Client(follow_redirects=True, timeout=timeout) as client:
        release = find_release(client, bundle, mirror=mirror)
        archive = cache.downloads / release.name
        _download(
            client,
            release.url,
            archive,
            lambda done, total: on_progress(Progress(bundle.name, release.url, done, total)),
        )
    actual = _hash_of(archive)
    if actual != release.sha256:
        archive.unlink()
        raise ChecksumMismatch(release.url, release.sha256, actual)
    on_progress(Progress(bundle.name, f"unpacking {archive.name}"))
    with cache.workplace() as workplace:
        unpacked = workplace / "bundle"
        _unpack(archive, unpacked, bundle)
        programs = {name: f"{bundle.folder}{name}" for name in bundle.programs}
        cache.adopt(
            unpacked,
            bundle,
            lambda version: Manifest(
                bundle=bundle.name,
                version=version,
                origin="release",
                source=release.url,
                sha256=actual,
                programs=programs,
            ),
        )
    archive.unlink()


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


def _unpack(archive: Path, target: Path, bundle: Bundle) -> None:
    """Write what ``bundle`` needs of the archive's one folder, and nothing outside of ``target``.

    Of a whole archive that is everything but source maps, which serve its developers alone, and links.
    """
    target.mkdir()
    needed = {*(f"{bundle.folder}{name}" for name in bundle.programs), "LICENSE", "NOTICE"}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            name = "/".join(parts)
            wanted = not name.endswith(".map") if bundle.whole else name in needed
            if not member.isfile() or not parts or ".." in parts or not wanted:
                continue
            stream = tar.extractfile(member)
            if stream is not None:
                file = target.joinpath(*parts)
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("wb") as written:
                    shutil.copyfileobj(stream, written)
                file.chmod(0o755 if member.mode & 0o100 else 0o644)
