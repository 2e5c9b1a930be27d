"""What a stack in containers is started with, and the Compose file read for it. Nothing here talks to an engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.commands import (
    FOR_GRACE_PERIOD_S,
    FOR_OUTAGE_TOLERANCE_S,
    LOOKBACK_S,
    RESEND_DELAY_S,
    TRAFFIC_RATE,
    prometheus_duration,
)
from stack.compose import COMPOSE_FILE, Compose, Service, read_compose
from stack.docker_engine import DockerError
from stack.docker_record import project_name
from stack.endpoints import PORTS, Endpoints
from stack.home import Home
from stack.pace import PRODUCTION_INTERVAL_S, WORKSHOP, Pace

PROFILES = ("loki", "mlflow")
"""The services that start only by choice; each has a profile of its own name."""


@dataclass(frozen=True)
class Options:
    """What to bring up: beside what always starts the ``chosen`` of ``PROFILES``; ``without`` is left out.

    ``panel_host`` is the address of this machine that the panel's port is published on, empty for loopback.
    """

    home: Home
    offset: int = 0
    pace: Pace = WORKSHOP
    traffic: bool = True
    workers: int = 1
    chosen: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    panel_host: str = ""


class UnknownService(DockerError):  # noqa: N818 - as above
    """A name that docker-compose.yml does not have."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"docker-compose.yml has no {name!r}; it has: {', '.join(known)}")


def compose_files() -> tuple[Path, ...]:
    """Return the Compose file and, where ``COMPOSE_FILE`` names them as for Compose itself, those laid over it."""
    named = os.environ.get("COMPOSE_FILE")
    return tuple(Path(part).resolve() for part in named.split(os.pathsep)) if named else (COMPOSE_FILE,)


def variables(options: Options) -> dict[str, str]:
    """Return what the Compose file is read with: the environment, and what follows from ``options``."""
    endpoints, pace = Endpoints(options.offset), options.pace

    def scaled(seconds: float) -> str:
        return prometheus_duration(pace.scale(seconds))

    own = {
        "FIREDRILL_PROJECT": project_name(options.offset),
        "FIREDRILL_PORT_OFFSET": str(options.offset),
        "FIREDRILL_PACE": pace.name,
        "FIREDRILL_WORKERS": str(options.workers),
        "FIREDRILL_PANEL_HOST": options.panel_host,
        "FIREDRILL_TRAFFIC_RATE": f"{TRAFFIC_RATE:g}" if options.traffic else "0",
        "FIREDRILL_INTERVAL": scaled(PRODUCTION_INTERVAL_S),
        "FIREDRILL_LOOKBACK": scaled(LOOKBACK_S),
        "FIREDRILL_RESEND_DELAY": scaled(RESEND_DELAY_S),
        "FIREDRILL_FOR_GRACE_PERIOD": scaled(FOR_GRACE_PERIOD_S),
        "FIREDRILL_FOR_OUTAGE_TOLERANCE": scaled(FOR_OUTAGE_TOLERANCE_S),
        **{f"FIREDRILL_PORT_{name.upper()}": str(endpoints.port(name)) for name in PORTS},
    }
    if "loki" in options.chosen:
        own["FIREDRILL_LOGS_EXPORTER"] = "otlp"
    return {**os.environ, **own}


def read_stack(options: Options, more: Mapping[str, str] | None = None) -> tuple[Compose, dict[str, Service]]:
    """Return the Compose file and the services that ``options`` start; raise ``ComposeUnreadable``, ``UnknownService``.

    ``more`` are variables beside those that follow from ``options``.
    """
    given = {**variables(options), **(more or {})}
    compose = read_compose(given, compose_files())
    for name in (*options.without, *options.chosen):
        if name not in compose.services:
            raise UnknownService(name, tuple(compose.services))
    services = compose.started(profiles=options.chosen, without=options.without)
    given["FIREDRILL_PARTS"] = ",".join(name for name, service in services.items() if not service.one_off)
    compose = read_compose(given, compose_files())
    return compose, compose.started(profiles=options.chosen, without=options.without)
