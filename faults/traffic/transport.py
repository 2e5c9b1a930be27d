"""What carries a request to the service: the one thing that differs between live sockets and a virtual run."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Request(NamedTuple):
    """One request, ready to be sent."""

    model: str
    path: str
    body: bytes
    id: str
    """Value of ``X-Request-ID``: ASCII letters, digits and hyphens."""
    content_type: str = "application/json"
    method: str = "POST"


class Transport(Protocol):
    """Carries one request. Cancelled when the generator's time limit passes."""

    async def send(self, request: Request) -> int:
        """Return the HTTP status of the complete answer; raise ``NotSent`` or ``NoAnswer``. Never sends twice."""
