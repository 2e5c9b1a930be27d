"""What one particular stack is started with, and the JSON in which that reaches a supervisor of its own.

Nothing here looks at the machine; whether a path is there is for those who choose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from stack.endpoints import Endpoints
from stack.home import Home
from stack.own.app import OwnApp
from stack.pace import PACES, Pace


@dataclass(frozen=True)
class OwnRules:
    """The user's rules, which a second Prometheus evaluates over the metrics of one ``dialect``.

    Without a name of a dialect it scrapes the service's own names; ``dialect_file`` is where a dialect stands that the
    service does not have yet. ``alertmanager`` is the user's configuration, where there is one. Paths are absolute.
    """

    rules: tuple[Path, ...]
    dialect: str = ""
    dialect_file: Path | None = None
    alertmanager: Path | None = None


@dataclass(frozen=True)
class Plan:
    """What one particular stack is started with.

    ``programs`` maps a program's name to its file; of the optional ones those that this stack is to run. ``without``
    names components that are left out. ``app`` is the user's, where one stands in the service's place.
    ``panel_host`` is the address that the panel is opened on, empty for loopback.
    """

    home: Home
    endpoints: Endpoints
    pace: Pace
    traffic: bool
    programs: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    workers: int = 1
    without: frozenset[str] = frozenset()
    own: OwnRules | None = None
    app: OwnApp | None = None
    panel_host: str = ""

    def to_json(self) -> str:
        """Return this plan as the one argument of a detached supervisor."""
        message = _Message(
            home=self.home.root,
            offset=self.endpoints.offset,
            pace=self.pace.name,
            traffic=self.traffic,
            programs=dict(self.programs),
            workers=self.workers,
            without=sorted(self.without),
            own=self.own,
            app=self.app,
            panel_host=self.panel_host,
        )
        return message.model_dump_json()


def plan_from_json(text: str) -> Plan:
    """Return the plan that ``Plan.to_json`` wrote; raise ``ValueError`` for anything else."""
    message = _Message.model_validate_json(text)
    if message.pace not in PACES:
        raise ValueError(f"pace {message.pace!r} is none of {', '.join(PACES)}")
    return Plan(
        home=Home(message.home),
        endpoints=Endpoints(message.offset),
        pace=PACES[message.pace],
        traffic=message.traffic,
        programs=MappingProxyType(message.programs),
        workers=message.workers,
        without=frozenset(message.without),
        own=message.own,
        app=message.app,
        panel_host=message.panel_host,
    )


class _Message(BaseModel):
    """A plan on its way to another process."""

    home: Path
    offset: int
    pace: str
    traffic: bool
    programs: dict[str, Path]
    workers: int
    without: list[str]
    own: OwnRules | None
    app: OwnApp | None = None
    panel_host: str = ""
