"""The host of an app that Firedrill knows nothing of: no models, nothing to act on but its requests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from faults.base import Place


class BareHost:
    """A process without models. Faults that need more than HTTP requests are refused before they touch it."""

    @property
    def place(self) -> Place:
        """The app's own process, as the service is."""
        return "service"

    @property
    def models(self) -> tuple[str, ...]:
        """No models."""
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
