"""The traffic process as the faults see it: a generator whose rate they may multiply. It decides nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from faults.base import Place
from faults.traffic.generator import Generator


class TrafficHost:
    """The generator of one process. It serves no models."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    @property
    def place(self) -> Place:
        """The traffic generator."""
        return "traffic"

    @property
    def models(self) -> tuple[str, ...]:
        """No models: it asks for those of others."""
        return ()

    @property
    def scratch(self) -> Path:
        """A folder of this process's own; not created here."""
        return Path(tempfile.gettempdir()) / f"firedrill-{os.getpid()}"

    async def reload_model(self, name: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Nothing to load."""
        return False

    async def unload_model(self, name: str) -> None:
        """Nothing to unload."""

    @property
    def rate(self) -> float:
        """Requests per second that it is told to send, whatever faults make of it."""
        return self._generator.settings.rate

    def multiply(self, holder: object, factor: float) -> None:
        """Multiply the rate by ``factor`` for ``holder``."""
        self._generator.multiply(holder, factor)

    def leave_alone(self, holder: object) -> None:
        """Take the factor of ``holder`` back."""
        self._generator.leave_alone(holder)
