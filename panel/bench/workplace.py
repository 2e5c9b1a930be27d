"""A stack of the benchmark's own: another home, other ports, the same command line as anyone's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.client import ConductorClient
from panel.commands.console import CommandError
from stack.endpoints import PORTS, Endpoints
from stack.home import Home
from stack.ports import free_offset


@dataclass(frozen=True)
class Workplace:
    """Where a benchmark's stack lives; ``settings`` are added to the environment of its commands."""

    home: Home
    endpoints: Endpoints
    settings: Mapping[str, str] = field(default_factory=dict)

    def cli(self, *arguments: str) -> str:
        """Run ``firedrill`` there and return what it printed; raise ``CommandError`` where it failed."""
        done = subprocess.run(
            [sys.executable, "-m", "panel.cli", *arguments],
            env={**os.environ, "FIREDRILL_HOME": str(self.home.root), **self.settings},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise CommandError(
                f"`firedrill {' '.join(arguments)}` failed in the benchmark: {done.stderr or done.stdout}"
            )
        return done.stdout

    def up(self) -> None:
        """Bring the stack up and wait until everything is ready."""
        self.cli("up", "--detach", "--port-offset", str(self.endpoints.offset))

    def down(self) -> None:
        """Bring the stack down."""
        self.cli("down")

    def conductor(self) -> ConductorClient:
        """Return a client of the stack's conductor."""
        return ConductorClient(self.endpoints.url("conductor"), self.home.token())


@contextmanager
def workplace(least: int = 1000, settings: Mapping[str, str] | None = None) -> Iterator[Workplace]:
    """Make a place for a stack on free ports, moved by ``least`` or more; take down and remove what is left of it."""
    offset = free_offset(least, {name: name for name in PORTS})
    if offset is None:
        raise CommandError("found no free range of ports for the benchmark's stack; stop other stacks first")
    with tempfile.TemporaryDirectory(prefix="firedrill-bench-", ignore_cleanup_errors=True) as folder:
        place = Workplace(Home(Path(folder)), Endpoints(offset), settings or {})
        try:
            yield place
        finally:
            place.down()
