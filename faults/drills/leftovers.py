"""What faults have done to processes and containers, written down before it is done, one file each.

A conductor that was killed finds here after its next start what it has to take back. Nothing is undone here.
"""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stack.state import ProcessIdentity

_log = logging.getLogger(__name__)


class Stopped(BaseModel):
    """Processes that were sent SIGSTOP. ``until``: when they shall go on at the latest, Unix seconds."""

    model_config = ConfigDict(frozen=True)

    what: Literal["stopped"] = "stopped"
    processes: tuple[ProcessIdentity, ...]
    until: float


class Changed(BaseModel):
    """A container that was paused, killed, or taken out of ``networks`` (the names that it had in each)."""

    model_config = ConfigDict(frozen=True)

    what: Literal["paused", "killed", "cut off"]
    project: str
    part: str
    networks: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    until: float


Leftover = Annotated[Stopped | Changed, Field(discriminator="what")]
_LEFTOVER: TypeAdapter[Stopped | Changed] = TypeAdapter(Leftover)


class Leftovers:
    """The notes in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: set[Path] = set()

    def note(self, leftover: Stopped | Changed) -> Path:
        """Write down what is about to be done; it is on disk when this returns. Return the note, to be forgotten."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{leftover.what.replace(' ', '-')}-{uuid.uuid4().hex[:12]}.json"
        partial = path.with_name(f".{path.name}")
        with partial.open("wb") as stream:
            stream.write(leftover.model_dump_json().encode())
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        self._own.add(path)
        return path

    def forget(self, note: Path) -> None:
        """Remove a note, because what it says is taken back."""
        note.unlink(missing_ok=True)
        self._own.discard(note)

    def of_others(self) -> Iterator[tuple[Path, Stopped | Changed]]:
        """Yield what was noted by a process before this one and never taken back."""
        for path in sorted(self._folder.glob("*.json")):
            if path in self._own:
                continue
            try:
                yield path, _LEFTOVER.validate_json(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValidationError) as error:
                _log.warning("%s says nothing that could be taken back, and is removed: %s", path, error)
                path.unlink(missing_ok=True)
