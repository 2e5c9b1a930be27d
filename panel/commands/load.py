"""``firedrill load``: an open-loop load test from the terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import typer

from stack.home import Home
from stack.runtimes import find_endpoints


def load(context: typer.Context) -> None:
    """Send an open-loop load; print latencies free of coordinated omission (`load --help` has its options)."""
    endpoints = find_endpoints(Home.from_environment())
    offset = {"FIREDRILL_PORT_OFFSET": str(endpoints.offset)} if endpoints is not None else {}
    command = [sys.executable, "-m", "faults.traffic", "load", *context.args]
    raise typer.Exit(subprocess.run(command, env={**os.environ, **offset}, check=False).returncode)
