"""Images for machines without a registry: the tags of docker-compose.yml, made of Debian's packages and our code.

A tag that can be had, here or by pulling, is left alone. What is built carries the label ``LABEL``, so that nobody
takes it for the real one. Prometheus, Alertmanager and node_exporter are real programs, in Debian's versions; in
Jaeger's place runs the trace store. Grafana, Loki and MLflow have no stand-in.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stack.docker_images import build_image
from stack.home import cache_dir
from stack.provision import provision

LABEL = "dev.firedrill.stand-in"
PYTHON = "python:3.11-slim-bookworm"
PROMETHEUS = "prom/prometheus:v3.14.0"
ALERTMANAGER = "prom/alertmanager:v0.33.0"
NODE_EXPORTER = "prom/node-exporter:v1.12.1"
JAEGER = "jaegertracing/jaeger:2.20.0"
ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("python3", "python3-venv", "ca-certificates", "busybox-static")
COMMAND_TIMEOUT_S = 600.0

Say = Callable[[str], None]


def folder() -> Path:
    """Return where what was fetched and made is kept."""
    return cache_dir() / "docker-tests"


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
        env={**os.environ, **environment},
        cwd=folder(),
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")


def has(client: Any, tag: str) -> bool:
    """Return whether the engine has ``tag``."""
    return bool(client.images.list(name=tag))


def python_base(client: Any, say: Say) -> None:
    """Make ``PYTHON``: a minimal Debian with its Python, whose pip finds the wheels that are needed and no index."""
    tree = folder() / "debian.tar.gz"
    if not tree.is_file():
        if shutil.which("mmdebstrap") is None:
            say("installing mmdebstrap")
            _run(["apt-get", "install", "--yes", "--quiet", "mmdebstrap"], DEBIAN_FRONTEND="noninteractive")
        say("making a minimal Debian with Python (half a minute)")
        partial = tree.with_name("debian.partial.tar")
        _run(["mmdebstrap", "--variant=minbase", f"--include={','.join(SYSTEM)}", "bookworm", str(partial)])
        with (
            partial.open("rb") as plain,
            gzip.open(tree.with_name("debian.partial.gz"), "wb", compresslevel=1) as packed,
        ):
            shutil.copyfileobj(plain, packed)
        partial.unlink()
        tree.with_name("debian.partial.gz").replace(tree)
    context = folder() / "python"
    shutil.rmtree(context, ignore_errors=True)
    wheels = context / "wheels"
    wheels.mkdir(parents=True)
    say("collecting wheels")
    wanted = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("torch")]
    (context / "requirements.txt").write_text("\n".join(wanted))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    kept = folder() / "wheels"
    _run(
        [
            *pip,
            "download",
            "--only-binary=:all:",
            "--dest",
            str(kept),
            "--requirement",
            str(context / "requirements.txt"),
        ]
    )
    for wheel in kept.glob("*.whl"):
        os.link(wheel, wheels / wheel.name)
    (context / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /opt/wheels\n")
    os.link(tree, context / "debian.tar.gz")
    _build(
        client,
        context,
        PYTHON,
        """FROM scratch
ADD debian.tar.gz /
COPY pip.conf /etc/pip.conf
COPY wheels /opt/wheels
RUN ln -s /usr/bin/python3 /usr/local/bin/python && ln -s /usr/bin/busybox /usr/local/bin/wget
ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
""",
        say,
    )


def program(tag: str, name: str, data: str) -> Callable[[Any, Say], None]:
    """Return what makes ``tag``: the real program ``name`` in Debian's version, and a folder for its data."""

    def make(client: Any, say: Say) -> None:
        found = provision([name])[name]
        context = folder() / name
        shutil.rmtree(context, ignore_errors=True)
        kept = cache_dir() / "programs"
        if kept in found.parents:  # a package, unpacked: its program may want the rest
            inside = found.relative_to(kept / found.relative_to(kept).parts[0])
            shutil.copytree(kept / found.relative_to(kept).parts[0], context / "bundle", symlinks=True)
        else:
            inside = Path(name)
            (context / "bundle").mkdir(parents=True)
            shutil.copy2(found, context / "bundle" / name)
        _build(
            client,
            context,
            tag,
            f"""FROM {PYTHON}
COPY bundle /opt/{name}
RUN mkdir -p {data} && chown 65534:65534 {data}
USER 65534:65534
ENTRYPOINT ["/opt/{name}/{inside}"]
""",
            say,
        )

    return make


def trace_store(client: Any, say: Say) -> None:
    """Make ``JAEGER`` of our own trace store, at Jaeger's ports."""
    context = folder() / "jaeger"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    _build(
        client,
        context,
        JAEGER,
        """FROM firedrill/stack:0.1.0
ENV FIREDRILL_HOSTS=tracestore=jaeger,otlp=jaeger,otlp_grpc=jaeger
RUN mkdir /tmp/health && echo healthy > /tmp/health/status
ENTRYPOINT ["sh", "-c", "busybox httpd -p 13133 -h /tmp/health && exec python -m stack.tracestore"]
CMD []
""",
        say,
    )


STAND_INS: Mapping[str, Callable[[Any, Say], None]] = MappingProxyType(
    {
        PYTHON: python_base,
        PROMETHEUS: program(PROMETHEUS, "prometheus", "/prometheus"),
        ALERTMANAGER: program(ALERTMANAGER, "alertmanager", "/alertmanager"),
        NODE_EXPORTER: program(NODE_EXPORTER, "node_exporter", "/nothing"),
        JAEGER: trace_store,
    }
)
"""How each image is made that cannot be had. The first is what the others and our own images begin with."""


def _build(client: Any, context: Path, tag: str, dockerfile: str, say: Say) -> None:
    (context / "Dockerfile").write_text(dockerfile)
    say(f"building a stand-in for {tag}")
    build_image(client, tag, context, labels={LABEL: "true"})


def must_be_made(client: Any, tag: str) -> bool:
    """Return whether ``tag`` is neither here nor to be pulled; an earlier stand-in is made anew, from its layers."""
    import docker  # noqa: PLC0415 - only where the engine is there

    present = client.images.list(name=tag)
    if present and present[0].labels.get(LABEL) != "true":
        return False
    try:
        client.images.pull(tag)
    except (docker.errors.DockerException, OSError):
        return True
    return False


def is_stand_in(client: Any, tag: str) -> bool:
    """Return whether what the engine has as ``tag`` was made here."""
    return bool(client.images.get(tag).labels.get(LABEL) == "true")
