"""``firedrill train``: make the models' artifacts, offline."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from stack.home import Home


def train(
    models: Annotated[list[str] | None, typer.Argument(help="Profiles to train; all where none is named.")] = None,
) -> None:
    """Train model profiles and write their versioned, hashed artifacts."""
    environment = {"ARTIFACTS_DIR": str(Home.from_environment().artifacts), **os.environ}
    done = subprocess.run([sys.executable, "-m", "service.train", *(models or [])], env=environment, check=False)
    raise typer.Exit(done.returncode)
