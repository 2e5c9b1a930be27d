"""An app of the user's in the service's place: where it is, what Prometheus scrapes of it, what may be sent to it.

It travels to the processes of a stack in one environment variable. Nothing here asks the app anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from stack.own.errors import BadAppOption

VARIABLE = "FIREDRILL_APP"
DEFAULT_METRICS, DEFAULT_JOB = "/metrics", "app"
FAULTS_JOB = "firedrill"
"""The job that scrapes the fault series of the app's control endpoint, as they are called in every stack."""
_REQUEST = re.compile(r"(?P<method>[A-Z]+) +(?P<path>/[\x21-\x7e]*)(?: +(?P<body>\S.*))?", re.DOTALL)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_JOB = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")


class AppRequest(BaseModel):
    """One request that the traffic generator sends to the app, as it is."""

    model_config = ConfigDict(frozen=True)

    method: str
    path: str
    body: str = ""

    @property
    def name(self) -> str:
        """What traffic settings call it."""
        return f"{self.method} {self.path}"


class OwnApp(BaseModel):
    """An app that somebody else starts and stops. ``url`` and ``control`` are bases without a trailing slash.

    ``rules`` are absolute paths; they are evaluated over the app's own metrics, scraped at ``metrics`` as ``job``.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    control: str
    metrics: str = DEFAULT_METRICS
    job: str = DEFAULT_JOB
    rules: tuple[Path, ...] = ()
    traffic: tuple[AppRequest, ...] = ()

    @property
    def metrics_url(self) -> str:
        """Where its metrics are."""
        return f"{self.url}{self.metrics}"


def app_from_environment(environment: Mapping[str, str] = os.environ) -> OwnApp | None:
    """Return the app in the place of this process's stack's service, ``None`` where the service has its own."""
    text = environment.get(VARIABLE)
    return OwnApp.model_validate_json(text) if text else None


def read_url(option: str, given: str) -> str:
    """Return ``given`` as a base; raise ``BadAppOption`` where it is not ``http://host:port`` with a path or none."""
    parts = urlsplit(given)
    try:
        known = parts.hostname is not None and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if parts.scheme != "http" or not known or parts.query or parts.fragment or parts.username:
        raise BadAppOption(option, given, "an address such as http://127.0.0.1:8000")
    return given.rstrip("/")


def read_path(option: str, given: str) -> str:
    """Return ``given``, a path at the app; raise ``BadAppOption``."""
    if not re.fullmatch(r"/[\x21\x22\x24-\x3e\x40-\x7e]*", given):
        raise BadAppOption(option, given, "a path such as /metrics")
    return given


def read_job(option: str, given: str) -> str:
    """Return ``given``, a name for the app's scrape job; raise ``BadAppOption``."""
    if _JOB.fullmatch(given) is None or given == FAULTS_JOB:
        raise BadAppOption(option, given, f"a word such as app, and not {FAULTS_JOB}, which scrapes the faults")
    return given


def read_request(option: str, given: str) -> AppRequest:
    """Return the request that a line such as ``GET /books`` or ``POST /orders {"book": 1}`` names.

    Raises ``BadAppOption``.
    """
    found = _REQUEST.fullmatch(given.strip())
    if found is None or found["method"] not in _METHODS:
        raise BadAppOption(
            option, given, 'a method, a path and perhaps a body, such as "GET /books" or "POST /orders {}"'
        )
    return AppRequest(method=found["method"], path=found["path"], body=found["body"] or "")
