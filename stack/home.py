"""Where a stack keeps what it writes: one folder, ``FIREDRILL_HOME``, by default ``.firedrill`` beside the code.

One home holds at most one running stack. The shared cache of downloaded programs lies outside of it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from stack.endpoints import HOST, Endpoints
from stack.pace import PACES, WORKSHOP, Pace


@dataclass(frozen=True)
class Home:
    """The folders and files of one stack."""

    root: Path

    @classmethod
    def from_environment(cls) -> Home:
        """Return the home that ``FIREDRILL_HOME`` names, else ``.firedrill`` in the checkout or the user's home."""
        named = os.environ.get("FIREDRILL_HOME")
        if named:
            return cls(Path(named).expanduser().resolve())
        checkout = Path(__file__).resolve().parent.parent
        base = checkout if (checkout / "pyproject.toml").is_file() else Path.home()
        return cls(base / ".firedrill")

    @property
    def run(self) -> Path:
        """What belongs to the running stack: state, token, rendered configuration."""
        return self.root / "run"

    @property
    def data(self) -> Path:
        """What outlives a run: time series, traces, the journal."""
        return self.root / "data"

    @property
    def artifacts(self) -> Path:
        """Trained models."""
        return self.root / "artifacts"

    @property
    def log_file(self) -> Path:
        """The one combined log of all components."""
        return self.root / "logs" / "firedrill.log"

    @property
    def state_file(self) -> Path:
        """What the supervisor says of itself and its children (JSON)."""
        return self.run / "stack.json"

    @property
    def token_file(self) -> Path:
        """The bearer token of the control endpoints."""
        return self.run / "token"

    @property
    def grafana_password_file(self) -> Path:
        """Where the password of Grafana's ``admin`` is kept that we made; Grafana itself keeps it in its database."""
        return self.data / "grafana.password"

    def token(self) -> str:
        """Return the control token; make it (mode 0600) where there is none yet."""
        return _secret(self.token_file)

    def grafana_password(self) -> str:
        """Return the password of Grafana's ``admin``: ``GF_SECURITY_ADMIN_PASSWORD``, else one that is made once."""
        return os.environ.get("GF_SECURITY_ADMIN_PASSWORD") or _secret(self.grafana_password_file)


def _secret(path: Path) -> str:
    """Return the secret in the file ``path``; make both (mode 0600) where there is none yet."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    fresh = secrets.token_urlsafe(24)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(fresh)
    try:
        os.link(partial, path)  # atomic, and the first of two racing processes wins
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    finally:
        partial.unlink()
    return fresh


def cache_dir() -> Path:
    """Return the folder of downloaded programs, shared by all homes (``FIREDRILL_CACHE``, else the XDG cache)."""
    named = os.environ.get("FIREDRILL_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "firedrill"


def is_offline() -> bool:
    """Return whether ``FIREDRILL_OFFLINE`` forbids fetching anything."""
    return os.environ.get("FIREDRILL_OFFLINE", "").lower() not in {"", "0", "false", "no"}


def endpoints_from_environment() -> Endpoints:
    """Return the endpoints of the stack that started this process.

    ``FIREDRILL_PORT_OFFSET`` moves the ports. In a container ``FIREDRILL_HOSTS`` names the hosts
    (``service=service,prometheus=prometheus``), ``FIREDRILL_LISTEN`` the address to listen on and
    ``FIREDRILL_PUBLISHED_OFFSET`` by how much the published ports are moved.
    """
    published = os.environ.get("FIREDRILL_PUBLISHED_OFFSET")
    pairs = (
        entry.strip().partition("=") for entry in os.environ.get("FIREDRILL_HOSTS", "").split(",") if entry.strip()
    )
    return Endpoints(
        offset=int(os.environ.get("FIREDRILL_PORT_OFFSET", "0")),
        hosts=MappingProxyType({name: host for name, _, host in pairs}),
        listen=os.environ.get("FIREDRILL_LISTEN") or HOST,
        published=int(published) if published else None,
    )


def pace_from_environment() -> Pace:
    """Return the pace of the stack that started this process (``FIREDRILL_PACE``)."""
    return PACES[os.environ.get("FIREDRILL_PACE", WORKSHOP.name)]


def workers_from_environment() -> int:
    """Return how many replicas of the service the stack has that started this process (``FIREDRILL_WORKERS``)."""
    return int(os.environ.get("FIREDRILL_WORKERS", "1"))
