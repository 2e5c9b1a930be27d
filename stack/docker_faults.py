"""What can be done to a container of this stack from inside or outside of it, and undone: freeze, kill, disconnect.

Everything blocks, and nothing is remembered: each undoing looks at what the container is now, so that it may be done
again and again. When is for others to say.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any

from stack.compose import COMPOSE_FILE
from stack.docker_containers import PROJECT, SERVICE, Project, asking
from stack.docker_engine import ASK_TIMEOUT_S, DockerError, EngineRefused, connect
from stack.docker_record import load_record
from stack.home import Home

ACT_TIMEOUT_S = 20.0


class NoContainers(DockerError):  # noqa: N818 - reads as a fact where it is raised
    """The engine answers, and has no stack that this process belongs to."""

    def __init__(self) -> None:
        super().__init__("the Docker engine answers, and this process is in no container of a stack there")


def own_project(home: Home) -> str:
    """Return the name of the stack that ``home`` started in containers, else of the one that this process is in.

    Raises ``EngineUnavailable`` or ``NoContainers``.
    """
    record = load_record(home)
    with closing(connect(timeout_s=ASK_TIMEOUT_S)) as client:
        name = record.project if record is not None else _project_around(client)
    if name is None:
        raise NoContainers
    return name


@contextmanager
def project_named(name: str) -> Iterator[Project]:
    """Give the project ``name``, connected until left; raise ``EngineUnavailable``."""
    with closing(connect(timeout_s=ACT_TIMEOUT_S)) as client:
        yield Project(client, name, COMPOSE_FILE.parent)


def _project_around(client: Any) -> str | None:
    """Return the project of the container that this process is in: an engine's host names are its containers' ids."""
    import docker  # noqa: PLC0415 - loads where it is used

    try:
        name: str | None = client.containers.get(socket.gethostname()).labels.get(PROJECT)
    except (docker.errors.DockerException, OSError):
        return None
    return name


def _container(project: Project, part: str) -> Any:
    with asking(f"find the container of {part}"):
        found = project.client.containers.list(
            all=True, filters={"label": [f"{PROJECT}={project.name}", f"{SERVICE}={part}"]}
        )
    if not found:
        raise EngineRefused(f"find the container of {part}", f"the stack {project.name} has none")
    return found[0]


def freeze(project: Project, part: str) -> None:
    """Stop every process of a container where it stands."""
    container = _container(project, part)
    with asking(f"pause {part}"):
        container.pause()


def kill(project: Project, part: str) -> None:
    """End what runs in a container; an engine starts nothing again by itself that it was told to kill."""
    container = _container(project, part)
    with asking(f"kill {part}"):
        container.kill()


def networks(project: Project, part: str) -> dict[str, tuple[str, ...]]:
    """Return the networks that a container is in, each with the names that it has there beside its own id."""
    container = _container(project, part)
    found: Mapping[str, Mapping[str, Any]] = container.attrs["NetworkSettings"]["Networks"]
    return {
        name: tuple(alias for alias in settings.get("Aliases") or () if not container.id.startswith(alias))
        for name, settings in found.items()
    }


def disconnect(project: Project, part: str, names: Sequence[str]) -> None:
    """Take a container out of the networks ``names``."""
    container = _container(project, part)
    with asking(f"disconnect {part}"):
        for name in names:
            project.client.networks.get(name).disconnect(container)


def let_go_on(project: Project, part: str) -> None:
    """Let a container go on that is frozen now."""
    container = _container(project, part)
    if container.status == "paused":
        with asking(f"unpause {part}"):
            container.unpause()


def start(project: Project, part: str) -> None:
    """Start a container that does not run now."""
    container = _container(project, part)
    if container.status in {"exited", "dead", "created"}:
        with asking(f"start {part}"):
            container.start()


def reconnect(project: Project, part: str, names: Mapping[str, Sequence[str]]) -> None:
    """Put a container back into those of the networks ``names`` that it is not in, under the names that it had."""
    container = _container(project, part)
    present = container.attrs["NetworkSettings"]["Networks"]
    with asking(f"connect {part}"):
        for name, aliases in names.items():
            if name not in present:
                project.client.networks.get(name).connect(container, aliases=list(aliases) or None)
