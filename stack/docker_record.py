"""What ``up --runtime docker`` writes down: ``run/docker.json``, by which the other commands find the containers again.

It says what was started, never what runs now: that the engine knows.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from stack.home import Home

DEFAULT_PROJECT = "firedrill"


class DockerRecord(BaseModel):
    """One stack in containers: its services in the order of starting, its start in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    project: str
    offset: int
    pace: str
    traffic: bool
    workers: int = 1
    started_at: float
    components: tuple[str, ...]

    def save(self, home: Home) -> None:
        """Replace the record of ``home`` in one step."""
        path = _path(home)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(self.model_dump_json(indent=1), encoding="utf-8")
        partial.replace(path)


def load_record(home: Home) -> DockerRecord | None:
    """Return the record of ``home``, ``None`` where there is none or where the file is not one of ours."""
    try:
        return DockerRecord.model_validate_json(_path(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def forget_record(home: Home) -> None:
    """Remove the record of ``home``."""
    _path(home).unlink(missing_ok=True)


def project_name(offset: int) -> str:
    """Return the name of a stack's containers, network and volumes; stacks on other ports have other ones."""
    return os.environ.get("FIREDRILL_PROJECT") or (f"{DEFAULT_PROJECT}-{offset}" if offset else DEFAULT_PROJECT)


def _path(home: Home) -> Path:
    return home.run / "docker.json"
