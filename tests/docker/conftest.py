"""One stack in containers for all tests of this folder, started by the real command line, on images that can be had."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import standins
from container_stack import ROOT, ContainerStack, firedrill

from stack.compose import read_compose
from stack.docker_containers import Project
from stack.docker_images import ImageMissing, ensure_images
from stack.endpoints import Endpoints
from stack.home import Home
from tests.engine import engine_or_skip
from tests.ports import free_endpoints

UNAVAILABLE_HERE = ("grafana",)
"""Services whose image has no stand-in: left out where it cannot be pulled."""


def say(text: str) -> None:
    """Show what is done before the first test, under ``pytest -s`` or after a failure."""
    print(text, flush=True)  # noqa: T201 - a test's output


@pytest.fixture(scope="session")
def engine() -> Any:
    """Return a client of the engine that answers."""
    return engine_or_skip()


@pytest.fixture(scope="session")
def images(engine: Any) -> Iterator[tuple[str, ...]]:
    """Provide every image of the stack, pulled or as a stand-in; yield the services that have none."""
    standins.folder().mkdir(parents=True, exist_ok=True)
    os.environ["FIREDRILL_WITH_TORCH"] = "0"
    compose = read_compose(os.environ)
    made: list[str] = []
    try:
        for tag, make in standins.STAND_INS.items():
            if tag == standins.JAEGER:
                ensure_images(engine, {"service": compose.services["service"]}, ROOT, say)
            if standins.must_be_made(engine, tag):
                make(engine, say)
                made.append(tag)
        without = []
        for name in UNAVAILABLE_HERE:
            try:
                ensure_images(engine, {name: compose.services[name]}, ROOT, say)
            except ImageMissing:
                without.append(name)
        yield tuple(without)
    finally:
        del os.environ["FIREDRILL_WITH_TORCH"]
        for tag in made:  # a stand-in must not be taken for the real one later; its layers stay for the next run
            engine.images.get(tag).tag(f"firedrill/stand-in:{tag.replace('/', '-').replace(':', '-')}")
            engine.images.remove(tag, noprune=True)


@pytest.fixture(scope="session")
def stack(engine: Any, images: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerStack]:
    """Bring the stack up by the real command line, on ports that are free, and take all of it away in the end."""
    home = Home(tmp_path_factory.mktemp("docker"))
    offset = free_endpoints().offset
    project = Project(engine, f"firedrill-test-{os.getpid()}", ROOT)
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FIREDRILL_HOME": str(home.root),
        "FIREDRILL_PROJECT": project.name,
        "FIREDRILL_WITH_TORCH": "0",
        "COLUMNS": "200",
    }
    leave_out = [part for name in images for part in ("--without", name)]
    try:
        done = firedrill(environment, "up", "--runtime", "docker", "--detach", "--port-offset", str(offset), *leave_out)
        yield ContainerStack(home, Endpoints(offset), environment, engine, project, images, done.stdout)
    finally:
        firedrill(environment, "down", check=False)
        for container in project.containers().values():
            container.remove(v=True, force=True)
        project.remove_network()
        project.remove_volumes()
