"""How much the trace store keeps and takes, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stack.tracestore.errors import BadSetting

MIB = 1024 * 1024
DAY_S = 86_400.0


@dataclass(frozen=True)
class Limits:
    """Bounds of one store. Bytes are those of the database file without its write-ahead log (at most some MiB more).

    A body may be as large as a quarter of what may be stored, so that it can be kept.
    """

    max_bytes: int = 512 * MIB
    max_age_s: float = 7 * DAY_S
    max_payload_bytes: int = 64 * MIB
    max_pending_bytes: int = 64 * MIB

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Limits:
        """Return the limits that ``TRACESTORE_MAX_BYTES`` and ``TRACESTORE_MAX_AGE_S`` set; raise ``BadSetting``."""
        max_bytes = int(_number(environ, "TRACESTORE_MAX_BYTES", cls.max_bytes, MIB))
        return cls(
            max_bytes=max_bytes,
            max_payload_bytes=min(cls.max_payload_bytes, max_bytes // 4),
            max_age_s=_number(environ, "TRACESTORE_MAX_AGE_S", cls.max_age_s, 1.0),
        )


def _number(environ: Mapping[str, str], key: str, default: float, least: float) -> float:
    text = environ.get(key, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        raise BadSetting(key, text, "a number") from None
    if not least <= number < float("inf"):
        raise BadSetting(key, text, f"a number of at least {least:g}")
    return number
