"""A log that writes nothing and counts its records, as if they were exported. It formats no line."""

from __future__ import annotations

from typing import cast

from service.telemetry.logs import Log


class SilentLog:
    """What the service calls of its log. ``records`` counts those of the levels that a live service logs."""

    def __init__(self) -> None:
        self.records = 0

    def bind(self, **_said: object) -> SilentLog:
        """Return the log itself: nothing is ever written that could carry what is said."""
        return self

    def debug(self, _event: str, **_said: object) -> None:
        """Forget what is below the usual level."""

    def info(self, _event: str, **_said: object) -> None:
        """Count a record."""
        self.records += 1

    warning = error = critical = info

    def as_log(self) -> Log:
        """Return it as the service's type, of which it has what the service calls."""
        return cast("Log", self)
