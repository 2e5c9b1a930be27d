"""A stack in containers as a test sees it: through the real command line, and through the engine it runs on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.docker_containers import Project
from stack.endpoints import Endpoints
from stack.home import Home

ROOT = Path(__file__).resolve().parents[2]
COMMAND_TIMEOUT_S = 400.0


@dataclass(frozen=True)
class ContainerStack:
    """A stack in containers, its home and the engine it runs on. ``up_text`` is what ``up`` printed."""

    home: Home
    endpoints: Endpoints
    environment: dict[str, str]
    client: Any
    project: Project
    without: tuple[str, ...]
    up_text: str

    def firedrill(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line as a person would."""
        return firedrill(self.environment, *arguments, check=check)

    def status(self) -> dict[str, Any]:
        """Return what ``firedrill status --json`` says."""
        answer: dict[str, Any] = json.loads(self.firedrill("status", "--json", check=False).stdout)
        return answer

    def component(self, name: str) -> dict[str, Any]:
        """Return one component's entry in the status."""
        return next(part for part in self.status()["components"] if part["name"] == name)


def firedrill(environment: dict[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in ``environment``; fail with its output where ``check`` is wanted."""
    done = subprocess.run(
        [sys.executable, "-m", "panel.cli", *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT_S,
    )
    assert not check or done.returncode == 0, f"firedrill {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
    return done
