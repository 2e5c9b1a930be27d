"""Ports for tests, claimed so that no two processes of this machine are given the same one.

Looking whether a port is free and then starting a program on it leaves a gap in which another test can take it. A claim
is a file named after the port that holds its owner's process id; it ends with the owner. Ports lie below those that the
system gives to clients, so that no outgoing connection takes one either.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

import psutil

from stack.endpoints import HOST, PORTS, Endpoints

LOWEST, HIGHEST = 11_000, 32_000
_CLAIMS = Path(tempfile.gettempdir()) / f"firedrill-test-ports-{os.getuid()}"


def free_port() -> int:
    """Return a port that nobody listens on and that no other test is given."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """Return the first of ``count`` such ports in a row."""
    return free_offset(range(count), LOWEST)


def free_offset(bases: Iterable[int], lowest: int = 0) -> int:
    """Return an offset, at least ``lowest``, that leads from all of ``bases`` to such ports."""
    wanted = tuple(bases)
    candidates = range(max(lowest, LOWEST - max(wanted)), HIGHEST - max(wanted))
    start = random.Random(os.getpid()).randrange(len(candidates))
    for step in range(len(candidates)):
        offset = candidates[(start + step) % len(candidates)]
        if _claim([base + offset for base in wanted]):
            return offset
    raise AssertionError(f"no free ports between {LOWEST} and {HIGHEST}")


def free_endpoints(*names: str) -> Endpoints:
    """Return endpoints at an offset where the ports of ``names``, or of all, are such."""
    return Endpoints(free_offset({Endpoints().port(name) for name in names or PORTS}))


def is_free(port: int) -> bool:
    """Return whether nothing listens on ``port``; connections of an ended process may linger on it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _claim(ports: list[int]) -> bool:
    """Claim all of ``ports`` or none."""
    mine: list[Path] = []
    for port in ports:
        claim = _CLAIMS / str(port)
        if not (is_free(port) and _take(claim)):
            for each in mine:
                each.unlink(missing_ok=True)
            return False
        mine.append(claim)
    for each in mine:
        atexit.register(each.unlink, missing_ok=True)
    return True


def _take(claim: Path) -> bool:
    """Create the file of a claim; take over that of an owner who is gone."""
    claim.parent.mkdir(exist_ok=True)
    with contextlib.suppress(FileNotFoundError, ValueError):
        if not psutil.pid_exists(int(claim.read_text())):
            claim.unlink(missing_ok=True)
    try:
        descriptor = os.open(claim, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(str(os.getpid()))
    return True
