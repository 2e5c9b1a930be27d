"""``WORKERS=N``: a small parent process and N replicas, each a whole service of one process, on one shared port.

Each replica has its own registry, its own port (``REPLICA_PORT`` and its index) and, with faults, its own control port,
so that counters stay exact when one dies. The kernel spreads connections over the replicas (SO_REUSEPORT). The parent
starts the first replica alone, since it trains what has no artifact yet, then the others; it starts again what ends
unasked, passes SIGTERM on, and serves nothing itself. On Linux no replica outlives it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.errors import PortTaken

CANNOT_START = 2
"""Exit code of a replica whose start makes no sense to repeat: its parent ends with it."""
STOP_GRACE_S = 3.0
"""How much longer than its own limit a replica may take to end."""
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 5.0
QUICK_S = 10.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Replica:
    """Which replica this process is. ``index`` counts from 0; ``parent`` is the process that started it."""

    index: int
    parent: int

    @property
    def option(self) -> str:
        """The command-line option that says so."""
        return f"--replica={self.index}:{self.parent}"

    def die_with_parent(self) -> None:
        """Ask Linux to kill this process when its parent ends; go where that has happened already."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.parent:
            sys.exit(f"replica {self.index}: its parent, pid {self.parent}, is gone")


def replica_of(arguments: Sequence[str]) -> Replica | None:
    """Return the replica that a command line makes of this process, ``None`` where it does not."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--replica")
    option: str | None = parser.parse_args(arguments).replica
    if option is None:
        return None
    index, _, parent = option.partition(":")
    return Replica(int(index), int(parent))


def bound_socket(host: str, port: int, setting: str, *, shared: bool) -> socket.socket:
    """Return a socket bound to ``port``, beside those of other replicas where it is ``shared``; raise ``PortTaken``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise PortTaken(host, port, setting, error.strerror or str(error)) from None
    return bound


def check_ports(host: str, ports: Mapping[int, str]) -> None:
    """Raise ``PortTaken`` unless each port, given with its setting, is free: another service may share its port too."""
    for port, setting in ports.items():
        bound_socket(host, port, setting, shared=False).close()


@dataclass
class _Seat:
    """One replica's place: its process, when that started, and how often in a row it ended soon."""

    index: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    quick_ends: int = 0
    due: float = 0.0


class Replicas:
    """The replicas of one service. One thread, one event loop."""

    def __init__(self, module: str, own_ports: Sequence[tuple[str, int]], *, stop_within_s: float) -> None:
        """Take the ``module`` to run with ``python -m``, and the host and port that each replica listens on alone."""
        self._module, self._own_ports, self._stop_within_s = module, own_ports, stop_within_s
        self._seats = [_Seat(index) for index in range(len(own_ports))]
        self._code = 0

    async def run(self) -> int:
        """Run all replicas until SIGINT or SIGTERM, or until one cannot start; return the exit code."""
        loop = asyncio.get_running_loop()
        self._stopping, self._changed = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGCHLD, self._changed.set)
        try:
            self._start(self._seats[0])
            await self._until_it_serves(self._seats[0])
            while not self._stopping.is_set():
                wait_s = self._tend()
                self._changed.clear()
                await _first(self._changed, self._stopping, timeout_s=wait_s)
        finally:
            await self._end()
        return self._code

    def _stop(self) -> None:
        """Pass the wish to end on; a second one does not wait for what is in flight, as in a single process."""
        self._stopping.set()
        for seat in self._seats:
            if seat.process is not None and seat.process.poll() is None:
                seat.process.terminate()

    def _start(self, seat: _Seat) -> None:
        option = Replica(seat.index, os.getpid()).option
        seat.process = subprocess.Popen([sys.executable, "-m", self._module, option], stdin=subprocess.DEVNULL)
        seat.started, seat.due = time.monotonic(), 0.0

    async def _until_it_serves(self, seat: _Seat) -> None:
        """Wait until a replica listens, ends, or the service is told to stop."""
        host, port = self._own_ports[seat.index]
        while not self._stopping.is_set() and seat.process is not None and seat.process.poll() is None:
            try:
                _, writer = await asyncio.open_connection(host, port)
            except OSError:
                await _first(self._stopping, timeout_s=0.05)
            else:
                writer.close()
                return

    def _tend(self) -> float | None:
        """Note what ended, start what is due; return the seconds until the next is due, ``None`` where none is."""
        now = time.monotonic()
        for seat in self._seats:
            if seat.process is not None and (code := seat.process.poll()) is not None:
                self._note(seat, code, now)
            if seat.process is None and seat.due <= now and not self._stopping.is_set():
                self._start(seat)
        waits = [seat.due - now for seat in self._seats if seat.process is None]
        return max(0.0, min(waits)) if waits else None

    def _note(self, seat: _Seat, code: int, now: float) -> None:
        """Say that a replica ended; plan its next start, or the end of all where it cannot start."""
        seat.process = None
        if code == CANNOT_START:
            self._code = code
            self._stop()
            return
        seat.quick_ends = seat.quick_ends + 1 if now - seat.started < QUICK_S else 0
        delay_s = min(FIRST_DELAY_S * 2**seat.quick_ends, LONGEST_DELAY_S)
        seat.due = now + delay_s
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        print(f"replica {seat.index} {how}; it starts again in {delay_s:g} s", file=sys.stderr, flush=True)  # noqa: T201 - the parent has no log

    async def _end(self) -> None:
        """Let all replicas finish, then kill what is left."""
        deadline = time.monotonic() + self._stop_within_s + STOP_GRACE_S
        living = [seat.process for seat in self._seats if seat.process is not None]
        for process in living:
            if process.poll() is None and not self._stopping.is_set():
                process.terminate()
        while any(process.poll() is None for process in living) and (left_s := deadline - time.monotonic()) > 0.0:
            self._changed.clear()
            await _first(self._changed, timeout_s=left_s)
        for process in living:
            if process.poll() is None:
                process.kill()
            code = process.wait()
            self._code = self._code or max(code, 0)


async def _first(*events: asyncio.Event, timeout_s: float | None) -> None:
    """Wait for the first of ``events``, at most ``timeout_s`` seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def run_replicas(module: str, own_ports: Sequence[tuple[str, int]], *, stop_within_s: float) -> int:
    """Run ``len(own_ports)`` replicas of ``module`` until told to stop; return the exit code."""
    return asyncio.run(Replicas(module, own_ports, stop_within_s=stop_within_s).run())
