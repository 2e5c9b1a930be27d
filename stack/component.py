"""What a row of the table of components says, and what holds for any such table. No component is named here."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stack.endpoints import Endpoints, of_replicas
from stack.errors import StackError
from stack.own.app import VARIABLE as APP_VARIABLE
from stack.plan import Plan

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Probe:
    """When a component counts as ready: ``path`` at its ``port`` answers 200 within ``deadline_s`` of its start."""

    port: str
    path: str
    deadline_s: float = 60.0


def _nothing(_plan: Plan) -> Mapping[str, str]:
    return {}


def _always(_plan: Plan) -> bool:
    return True


@dataclass(frozen=True)
class Component:
    """One row of the table.

    ``ports`` are names in ``stack.endpoints.PORTS``, the main one first. ``replica_ports`` are those that each replica
    has for itself where there are several; the probe then asks the last named of them as well. What it ``needs`` must
    be ready before it starts; it is stopped before what it ``needs`` or ``uses``; of both only what the stack runs
    counts. ``page`` is the path that a person opens in a browser.

    ``programs`` must be there. ``takes`` is a program that is taken where it is on PATH or fetched already, and fetched
    only by choice (``up --with``). A plan in which it is not ``wanted`` leaves the row out; one that is ``optional``
    can be left out by choice (``up --without``). Prometheus scrapes ``scraped`` (a port, by default none) as ``job``.
    """

    name: str
    title: str
    argv: Callable[[Plan], Sequence[str]]
    ports: tuple[str, ...]
    probe: Probe
    environment: Callable[[Plan], Mapping[str, str]] = _nothing
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    takes: str = ""
    wanted: Callable[[Plan], bool] = _always
    optional: bool = False
    page: str = "/"
    grace_s: float = 1.5
    replica_ports: tuple[str, ...] = ()
    job: str = ""
    scraped: str = ""

    def listens_on(self, workers: int) -> tuple[str, ...]:
        """Return the names of all its ports, without doubles, in a stack with so many replicas of the service."""
        if workers == 1:
            return self.ports
        shared = [name for name in self.ports if name not in self.replica_ports]
        return (*shared, *(each for name in self.replica_ports for each in of_replicas(name, workers)))

    def probed(self, workers: int) -> tuple[str, ...]:
        """Return the names of the ports that must answer its probe."""
        if workers == 1 or not self.replica_ports:
            return (self.probe.port,)
        return (self.probe.port, *of_replicas(self.replica_ports[-1], workers))

    def url(self, endpoints: Endpoints) -> str:
        """Return the address of its page, for a browser."""
        return endpoints.link(self.ports[0], self.page)


def wanted(components: Sequence[Component], plan: Plan) -> tuple[Component, ...]:
    """Return the rows that ``plan`` runs, in the table's order, needing and using nothing that it does not run."""
    rows = [row for row in components if row.name not in plan.without and row.wanted(plan)]
    names = {row.name for row in rows}
    return tuple(
        replace(
            row,
            needs=tuple(name for name in row.needs if name in names),
            uses=tuple(name for name in row.uses if name in names),
        )
        for row in rows
    )


def child_environment(component: Component, plan: Plan) -> dict[str, str]:
    """Return the whole environment of a component: the supervisor's own, what every child is told, and the row's."""
    inherited = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)]),
        "PYTHONUNBUFFERED": "1",
        "FIREDRILL_HOME": str(plan.home.root),
        "FIREDRILL_PORT_OFFSET": str(plan.endpoints.offset),
        "FIREDRILL_PACE": plan.pace.name,
        "FIREDRILL_WORKERS": str(plan.workers),
        APP_VARIABLE: plan.app.model_dump_json() if plan.app is not None else "",
        **component.environment(plan),
    }


def table_named(name: str) -> tuple[Component, ...]:
    """Return the table that ``package.module:ATTRIBUTE`` names."""
    module, _, attribute = name.partition(":")
    table: tuple[Component, ...] = getattr(importlib.import_module(module), attribute)
    return table


class BadTable(StackError):  # noqa: N818 - reads as a fact where it is raised
    """The table names a component twice or needs one that it does not have, or needs go round in a circle."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"component table: {problem}")


def check_table(components: Sequence[Component]) -> None:
    """Raise ``BadTable`` unless names are unique and needs and uses are known and free of circles."""
    by_name = {component.name: component for component in components}
    if len(by_name) != len(components):
        raise BadTable("a name stands there twice")
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise BadTable(f"{' -> '.join((*path, name))} is a circle")
        if name not in by_name:
            raise BadTable(f"{path[-1]} needs {name!r}, which is not in the table")
        if name not in done:
            for needed in (*by_name[name].needs, *by_name[name].uses):
                visit(needed, (*path, name))
            done.add(name)

    for component in components:
        visit(component.name, ())
