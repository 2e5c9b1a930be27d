"""The table of foreign programs that Firedrill runs: who publishes them, as what, and which version is good enough.

A row says everything; those who look for programs, fetch or unpack them only read it. Nothing here touches a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stack.errors import StackError

Version = tuple[int, ...]


@dataclass(frozen=True)
class Bundle:
    """Programs that are published together, in one archive."""

    name: str
    release: str
    """The pinned version."""
    oldest: Version
    """The oldest version that will do, wherever it comes from."""
    programs: Mapping[str, tuple[str, ...]]
    """Each program's names on PATH and in packages; the first is its own."""
    repository: str = ""
    """The GitHub repository whose releases have the archive; empty where ``packages`` lists it."""
    archive: str = "{name}-{release}.{platform}"
    """The archive's name without ``.tar.gz``."""
    sums: str = "sha256sums.txt"
    """The file of the same release with the SHA-256 of every archive."""
    packages: str = ""
    """Path of a JSON list of archives with their hashes, where names cannot be told from the version."""
    host: str = "https://github.com"
    """Who publishes; a mirror's address may take its place."""
    page: str = ""
    """Where a person finds it."""
    folder: str = ""
    """Where its programs lie in the archive's one folder, such as ``bin/``."""
    whole: bool = False
    """Whether its programs need the rest of the archive; else only they are kept."""
    home: tuple[str, ...] = ()
    """What the folder is known by that such programs are told as their home."""
    package: str = ""
    """The Debian package; empty where there is none."""
    formula: str = ""
    """The Homebrew formula; empty where none is known."""
    data_folder: str = ""
    """Where Debian's build looks for its templates and pages; it is compiled into the program."""
    assets: tuple[str, ...] = ()
    """Debian packages with the scripts and fonts of its pages."""
    says: str = r"\b{program}, version (\S+)"
    """What ``--version`` prints, as a pattern with the version in its one group."""

    @property
    def address(self) -> str:
        """Return where a person finds its releases."""
        return self.page or f"{self.host}/{self.repository}/releases"


BUNDLES: tuple[Bundle, ...] = (
    Bundle(
        name="prometheus",
        release="3.14.0",
        oldest=(2, 42),  # keep_firing_for
        programs=MappingProxyType({"prometheus": ("prometheus",), "promtool": ("promtool",)}),
        repository="prometheus/prometheus",
        package="prometheus",
        formula="prometheus",
        data_folder="/usr/share/prometheus/web",
        assets=(
            *(
                "libjs-jquery",
                "libjs-jquery-hotkeys",
                "libjs-bootstrap4",
                "libjs-popper.js",
                "libjs-d3",
                "libjs-rickshaw",
            ),
            *("libjs-moment", "libjs-moment-timezone", "libjs-mustache", "libjs-eonasdan-bootstrap-datetimepicker"),
            "fonts-glyphicons-halflings",
        ),
    ),
    Bundle(
        name="alertmanager",
        release="0.33.0",
        oldest=(0, 25),
        programs=MappingProxyType(
            {"alertmanager": ("alertmanager", "prometheus-alertmanager"), "amtool": ("amtool",)},
        ),
        repository="prometheus/alertmanager",
        package="prometheus-alertmanager",
        formula="alertmanager",
        data_folder="/usr/share/prometheus/alertmanager",
    ),
)
"""What no stack does without: fetched where it is missing."""

OPTIONAL_BUNDLES: tuple[Bundle, ...] = (
    Bundle(
        name="node_exporter",
        release="1.12.1",
        oldest=(1, 5),
        programs=MappingProxyType({"node_exporter": ("node_exporter", "prometheus-node-exporter")}),
        repository="prometheus/node_exporter",
        package="prometheus-node-exporter",
        formula="node_exporter",
    ),
    Bundle(
        name="jaeger",
        release="2.20.0",
        oldest=(2, 0),
        programs=MappingProxyType({"jaeger": ("jaeger",)}),
        repository="jaegertracing/jaeger",
        archive="{name}-{release}-{platform}",
        sums="jaeger-{release}.sha256sum.txt",  # the sums of the archives; those named by platform are of the contents
        says=r"\bgit-version=v?([^\s,]+)",
    ),
    Bundle(
        name="grafana",
        release="13.2.0",
        oldest=(11, 0),
        programs=MappingProxyType({"grafana": ("grafana",)}),
        packages="/api/grafana/versions/{release}/packages",  # names of archives have a number of the build in them
        host="https://grafana.com",
        page="https://grafana.com/grafana/download",
        folder="bin/",
        whole=True,
        home=("conf/defaults.ini", "public"),
        formula="grafana",
        says=r"\bgrafana version v?(\S+)",
    ),
)
"""What a stack also runs where it is there, and fetches only where somebody chose so."""


class UnknownProgram(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A program was asked for that no bundle has."""

    def __init__(self, name: str) -> None:
        known = ", ".join(program for bundle in (*BUNDLES, *OPTIONAL_BUNDLES) for program in bundle.programs)
        super().__init__(f"unknown program {name!r}; known programs: {known}")


def bundle_of(program: str) -> Bundle:
    """Return the bundle that has ``program``, or raise ``UnknownProgram``."""
    for bundle in (*BUNDLES, *OPTIONAL_BUNDLES):
        if program in bundle.programs:
            return bundle
    raise UnknownProgram(program)


def parse_version(text: str) -> Version:
    """Return the leading numbers of ``text``: ``2.42.0+ds`` gives (2, 42, 0)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
