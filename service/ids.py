"""Where ids come from: handed in, so that a seeded run names everything the same way twice."""

from __future__ import annotations

import random
import re
from typing import Protocol

from opentelemetry.sdk.trace.id_generator import IdGenerator

_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


class IdSource(Protocol):
    """A source of ids. Trace and span ids are OpenTelemetry's: 128 and 64 bits, never zero."""

    def request_id(self) -> str:
        """Return a new request id."""

    def generate_trace_id(self) -> int:
        """Return a new trace id."""

    def generate_span_id(self) -> int:
        """Return a new span id."""


class RandomIds(IdGenerator):
    """Ids from one ``random.Random``; also what a ``TracerProvider`` takes as its id generator."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def request_id(self) -> str:
        """Return 32 hexadecimal digits."""
        return f"{self._rng.getrandbits(128):032x}"

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not all zero."""
        return self._rng.getrandbits(128) or 1

    def generate_span_id(self) -> int:
        """Return 64 random bits, not all zero."""
        return self._rng.getrandbits(64) or 1


def valid_request_id(offered: str) -> bool:
    """Return whether a caller's request id is taken over: 1 to 128 of ``A-Z a-z 0-9 . _ : -``, not led by a sign."""
    return _VALID_REQUEST_ID.fullmatch(offered) is not None
