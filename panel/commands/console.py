"""What the commands share: where they print, how a stack is found, how times are written."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from stack.endpoints import Endpoints
from stack.home import Home
from stack.runtimes import find_endpoints

if TYPE_CHECKING:
    from faults.client import ConductorClient

OUT = Console()
ERRORS = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class CommandError(Exception):
    """A command cannot do what it was asked; the message says why and what to do."""


def actor() -> str:
    """Return who acts, for the journal."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


def running_endpoints() -> Endpoints:
    """Return the endpoints of the stack that runs in this home, or raise ``CommandError``."""
    endpoints = find_endpoints(Home.from_environment())
    if endpoints is None:
        raise CommandError("no stack is running here; start one with `firedrill up`")
    return endpoints


def conductor(timeout_s: float = 15.0) -> ConductorClient:
    """Return a client of the running stack's conductor, or raise ``CommandError``."""
    from faults.client import ConductorClient  # noqa: PLC0415 - for which commands that do not ask need not wait

    return ConductorClient(running_endpoints().url("conductor"), Home.from_environment().token(), timeout_s=timeout_s)


def seconds(value: float | None) -> str:
    """Write a duration in seconds for a table."""
    if value is None:
        return "–"
    return f"{value:.1f} s" if abs(value) < 120 else f"{value / 60:.1f} min"
