"""One started process: its lines, its end, and the promise that it does not outlive the supervisor.

Started and reaped in the main thread of the event loop: Linux sends the parent-death signal when the thread that
spawned a process ends. A child leads its own session, so that Ctrl-C in the terminal reaches the supervisor alone,
which then stops children in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from stack.state import ProcessIdentity

PR_SET_PDEATHSIG = 1
LONGEST_LINE = 64 * 1024
DRAIN_S = 0.5


@cache
def _prctl() -> Callable[[int, int], int]:
    """Return Linux's prctl, looked up before any fork."""
    prctl: Callable[[int, int], int] = ctypes.CDLL(None, use_errno=True).prctl
    return prctl


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child does between fork and exec: ask to be killed with ``parent``, and go if that is too late."""
    prctl = _prctl()

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


class _Lines(asyncio.Protocol):
    """Cuts a child's output into lines; one longer than 64 KiB is cut into several."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line, self._rest = on_line, b""
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(line)
        whole = len(self._rest) // LONGEST_LINE * LONGEST_LINE
        if whole:
            self._say(self._rest[:whole])
            self._rest = self._rest[whole:]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the end of a pipe is its end
        if self._rest:
            self._say(self._rest)
        if not self.ended.done():
            self.ended.set_result(None)

    def _say(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LONGEST_LINE):
            self._on_line(line[start : start + LONGEST_LINE].decode("utf-8", "replace").rstrip("\r"))


class Child:
    """A process of ours that runs or ran."""

    def __init__(
        self, argv: Sequence[str], *, environment: Mapping[str, str], directory: Path, on_line: Callable[[str], None]
    ) -> None:
        """Start ``argv``; ``on_line`` gets each line that it prints. Raises ``OSError`` where it cannot be started."""
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        # In 3.11 there is no other way to act between fork and exec; the supervisor has no threads to be unsafe with.
        self._popen = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - as said above
        )
        self.pid = self._popen.pid
        self.identity = ProcessIdentity.of(self.pid) or ProcessIdentity(pid=self.pid, created_at=0.0)
        self._output = self._loop.create_task(self._listen(on_line))
        self._end: asyncio.Task[None] | None = None

    async def _listen(self, on_line: Callable[[str], None]) -> None:
        _, lines = await self._loop.connect_read_pipe(lambda: _Lines(on_line), self._popen.stdout)
        await lines.ended

    def reap(self) -> None:
        """Notice an end, if there was one: called at SIGCHLD. What its process group left behind is killed."""
        if self._end is not None:
            return
        if sys.platform == "linux":
            # Look first and collect afterwards: until then nobody else can have this process group's number.
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return
            self.kill()
        if self._popen.poll() is not None:
            self._end = self._loop.create_task(self._finish(self._popen.returncode))

    async def _finish(self, code: int) -> None:
        with contextlib.suppress(TimeoutError):  # a grandchild may keep the pipe; the last lines come first
            await asyncio.wait_for(self._output, DRAIN_S)
        self.exited.set_result(code)

    def terminate(self) -> None:
        """Ask it to end."""
        if self._popen.returncode is None:
            self._popen.terminate()

    def kill(self) -> None:
        """End it and its process group at once."""
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """Return in words how a process ended, from its return code as ``subprocess`` gives it."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
