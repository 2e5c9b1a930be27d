"""A publisher of releases on loopback: real archives of small scripts, with checksums, to fetch in tests."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from stack.bundles import BUNDLES, OPTIONAL_BUNDLES, Bundle
from stack.releases import platform_name

SAYS = {
    "jaeger": "jaeger version git-commit=0f1e2d, git-version=v{}, build-date=2026-09-01T00:00:00Z",
    "grafana": "grafana version {}",
}
"""What programs answer to ``--version`` that are not of Prometheus's family."""


def script(program: str, version: str, padding: int = 0) -> bytes:
    """Return a program that knows its version, ``padding`` bytes larger than it need be."""
    said = SAYS.get(program, f"{program}, version {{}} (branch: HEAD)").format(version)
    return f"#!/bin/sh\necho '{said}'\n".encode() + b"# " + b"x" * padding


def archive(bundle: Bundle, *, version: str | None = None, padding: int = 0) -> bytes:
    """Return a release archive as its publisher packs it, with a file in it that tries to escape."""
    stem = f"{bundle.name}-{bundle.release}"
    files = {
        f"{stem}/{bundle.folder}{name}": script(name, version or bundle.release, padding) for name in bundle.programs
    }
    files |= {f"{stem}/LICENSE": b"Apache-2.0", f"{stem}/../../escaped": b"outside", f"{stem}/big.yml": b"unwanted"}
    if bundle.whole:
        files |= {f"{stem}/conf/defaults.ini": b"", f"{stem}/public/a.js": b"1;", f"{stem}/public/a.js.map": b"{}"}
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return target.getvalue()


@dataclass
class Publisher:
    """What is published, and what was asked for. ``cut_after`` breaks the next download off after so many bytes."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: int | None = None

    def publish(self, bundle: Bundle, content: bytes, *, digest: str | None = None) -> None:
        """Publish ``content`` as the release of ``bundle`` with its true checksum, or another one."""
        published = digest or hashlib.sha256(content).hexdigest()
        if bundle.packages:
            self._list(bundle, content, published)
            return
        folder = f"/{bundle.repository}/releases/download/v{bundle.release}"
        stem = bundle.archive.format(name=bundle.name, release=bundle.release, platform=platform_name())
        self.files[f"{folder}/{stem}.tar.gz"] = content
        sums = f"{'0' * 64}  another-file.tar.gz\n{published} *{stem}.tar.gz\n"
        self.files[f"{folder}/{bundle.sums.format(release=bundle.release)}"] = sums.encode()

    def _list(self, bundle: Bundle, content: bytes, digest: str) -> None:
        """Publish a list of packages: one for another system, one in another form, and the archive."""
        system, _, machine = str(platform_name()).partition("-")
        path = f"/{bundle.name}/release/{bundle.release}/{bundle.name}_{bundle.release}_4711_{system}_{machine}.tar.gz"
        self.files[path] = content
        here = {"os": system, "arch": machine, "version": bundle.release, "links": [], "sha256": digest}
        items = [
            here | {"os": "win", "url": f"{self.url}/elsewhere.tar.gz", "sha256": "0" * 64},
            here | {"url": f"{self.url}{path.removesuffix('.tar.gz')}.deb"},
            here | {"url": f"{self.url}{path}"},
        ]
        self.files[bundle.packages.format(release=bundle.release)] = json.dumps({"items": items}).encode()

    def publish_all(self) -> None:
        """Publish a good release of every bundle."""
        for bundle in (*BUNDLES, *OPTIONAL_BUNDLES):
            self.publish(bundle, archive(bundle))

    def archives_asked(self) -> list[tuple[str, str | None]]:
        """Return the requests for archives: path and Range header."""
        return [(path, span) for path, span in self.asked if path.endswith(".tar.gz")]


@contextmanager
def publisher() -> Iterator[Publisher]:
    """Run a publisher."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            span = self.headers.get("Range")
            here.asked.append((self.path, span))
            content = here.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            self.send_response(206 if span else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            cut, here.cut_after = (here.cut_after, None) if self.path.endswith(".gz") else (None, here.cut_after)
            self.wfile.write(content[start:] if cut is None else content[start : start + cut])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    here = Publisher(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
