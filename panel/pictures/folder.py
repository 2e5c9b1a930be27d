"""The folder that pictures are written into: looked at before the first is taken; a file is whole or not there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from panel.pictures.errors import BadFolder


def prepared(folder: Path) -> Path:
    """Return ``folder``, made where it was not there. Raises ``BadFolder`` where nothing can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as problem:
        raise BadFolder(folder, problem.strerror or str(problem)) from problem


def write(folder: Path, name: str, content: bytes) -> Path:
    """Write one picture and return its path. Raises ``BadFolder``."""
    path = folder / name
    partial = folder / f".{name}.{os.getpid()}"
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as problem:
        partial.unlink(missing_ok=True)
        raise BadFolder(folder, problem.strerror or str(problem)) from problem
    return path
