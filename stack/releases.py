"""Where the archive of a pinned release lies and which SHA-256 its publisher gives it: asked for, never guessed.

Most list the hashes of a release's archives in a file beside them. Grafana's archives have a number in their names that
the version does not tell; its catalogue lists addresses and hashes. Nothing here fetches an archive.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, Field, ValidationError

from stack.catalogue import Bundle
from stack.errors import StackError


class DownloadFailed(StackError):  # noqa: N818 - reads as a fact where it is raised
    """Something could not be fetched."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"{url} could not be fetched: {reason}")


@dataclass(frozen=True)
class Release:
    """One archive, as its publisher describes it. ``name`` is the archive's file name."""

    name: str
    url: str
    sha256: str


class Listed(BaseModel):
    """One archive in a list of packages; such lists name more than archives, and more of each than is needed here."""

    os: str = ""
    arch: str = ""
    url: str = ""
    sha256: str = Field(default="", pattern=r"^([0-9A-Fa-f]{64})?$")


class Listing(BaseModel):
    """A publisher's list of the packages of one version."""

    items: tuple[Listed, ...]


def platform_name() -> str | None:
    """Return this machine as release archives name it, such as ``linux-amd64``; ``None`` where there is no archive."""
    system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform)
    machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
        platform.machine().lower()
    )
    return f"{system}-{machine}" if system and machine else None


def find_release(client: httpx.Client, bundle: Bundle, *, mirror: str | None) -> Release:
    """Return this machine's archive of the pinned release; ``mirror`` takes the place of the publisher's own host.

    Raises ``DownloadFailed`` where there is none, or none with a hash.
    """
    root = (mirror or bundle.host).rstrip("/")
    here = platform_name()
    if here is None:
        raise DownloadFailed(root, f"no release for {sys.platform} on {platform.machine()}")
    if bundle.packages:
        return _listed(client, bundle, root + bundle.packages.format(release=bundle.release), here)
    name = bundle.archive.format(name=bundle.name, release=bundle.release, platform=here) + ".tar.gz"
    folder = f"{root}/{bundle.repository}/releases/download/v{bundle.release}"
    sums = f"{folder}/{bundle.sums.format(release=bundle.release)}"
    for line in _get(client, sums).text.splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1].lstrip("*") == name:
            return Release(name, f"{folder}/{name}", fields[0].lower())
    raise DownloadFailed(sums, f"it lists no checksum for {name}")


def _listed(client: httpx.Client, bundle: Bundle, url: str, here: str) -> Release:
    try:
        listing = Listing.model_validate_json(_get(client, url).content)
    except ValidationError as error:
        raise DownloadFailed(url, f"it is no list of packages ({error.error_count()} problems)") from error
    for each in listing.items:
        if f"{each.os}-{each.arch}" == here and each.url.endswith(".tar.gz") and each.sha256:
            return Release(f"{bundle.name}-{bundle.release}.{here}.tar.gz", each.url, each.sha256.lower())
    raise DownloadFailed(url, f"it lists no archive with a checksum for {here}")


def _get(client: httpx.Client, url: str) -> httpx.Response:
    try:
        return client.get(url).raise_for_status()
    except httpx.HTTPError as error:
        raise DownloadFailed(url, str(error) or type(error).__name__) from error
