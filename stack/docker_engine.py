"""The connection to a Docker engine, and what can go wrong with one. Docker's SDK is imported when it is used.

Which engine is Docker's own choice: ``DOCKER_HOST``, else the current context, else the usual socket.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stack.errors import StackError

TIMEOUT_S = 120.0
ASK_TIMEOUT_S = 3.0


class DockerError(StackError):
    """Base of all errors of the Docker runtime."""


class EngineUnavailable(DockerError):  # noqa: N818 - reads as a fact where it is raised
    """No Docker engine answers."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(
            f"no Docker engine answers at {where} ({reason}); start Docker, set DOCKER_HOST, "
            "or use processes of this machine: `firedrill up --runtime native`"
        )


class EngineRefused(DockerError):  # noqa: N818 - as above
    """The engine answered, and would not do what it was asked."""

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason
        super().__init__(f"the Docker engine could not {what}: {reason}")


def engine_address() -> str:
    """Return where the engine is looked for."""
    return os.environ.get("DOCKER_HOST") or _context_address() or "unix:///var/run/docker.sock"


def _context_address() -> str | None:
    """Return the address of the context that ``docker context use`` chose; Docker Desktop and Colima choose one."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = os.environ.get("DOCKER_CONTEXT") or json.loads((folder / "config.json").read_text())["currentContext"]
        for meta in (folder / "contexts" / "meta").glob("*/meta.json"):
            content = json.loads(meta.read_text())
            if content["Name"] == name:
                return str(content["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def connect(*, timeout_s: float = TIMEOUT_S) -> Any:
    """Return a client of the engine; raise ``EngineUnavailable``."""
    import docker  # noqa: PLC0415 - loads where it is used: the native runtime needs none of it
    from docker.tls import TLSConfig  # noqa: PLC0415 - as above

    where = engine_address()
    tls = None
    if os.environ.get("DOCKER_TLS_VERIFY") and (folder := os.environ.get("DOCKER_CERT_PATH")):
        certificates = Path(folder)
        tls = TLSConfig(
            client_cert=(str(certificates / "cert.pem"), str(certificates / "key.pem")),
            ca_cert=str(certificates / "ca.pem"),
            verify=True,
        )
    try:
        client = docker.DockerClient(base_url=where, timeout=timeout_s, **({"tls": tls} if tls else {}))
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        raise EngineUnavailable(where, _cause(error)) from error
    return client


def answers() -> bool:
    """Return whether an engine answers now."""
    try:
        connect(timeout_s=ASK_TIMEOUT_S).close()
    except EngineUnavailable:
        return False
    return True


def reason_of(error: Exception) -> str:
    """Return what the engine said, in one line."""
    said = getattr(error, "explanation", None) or str(error)
    return " ".join(str(said).split())


def _cause(error: Exception) -> str:
    """Return the innermost reason of a failed connection, without the library's wrappings."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return reason_of(error)[:200]
