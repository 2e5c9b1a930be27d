"""The processes of the service, for faults that act on them by signals: killed, stopped, and let go on again.

Which they are the supervisor has written down; a process counts as meant only while its id and its time of birth agree.
What was stopped goes on at its time, when this process dies, or after its next start, whichever comes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from faults.drills.guard import Guard, NoGuard, let_go_on
from faults.drills.leftovers import Leftovers, Stopped
from stack.endpoints import HOST, Endpoints
from stack.expected import expect_ends
from stack.home import Home
from stack.state import ProcessIdentity, StackState, load_state

SERVICE = "service"
STILL_EXPECTED_S = 10.0
"""So long after the last kill an end is still no surprise: the supervisor may not have seen it yet."""
_REPLICA = re.compile(r"--replica=(\d+):\d+")


@dataclass(frozen=True)
class _Hold:
    """What one holder has stopped, who guards it, and where it is written down."""

    processes: tuple[ProcessIdentity, ...]
    guard: Guard
    note: Path


class ServiceProcesses:
    """The processes of the service of the stack in one home."""

    def __init__(
        self, home: Home, endpoints: Endpoints, leftovers: Leftovers, *, now: Callable[[], float] = time.time
    ) -> None:
        self._home, self._endpoints, self._leftovers, self._now = home, endpoints, leftovers, now
        self._holds: dict[object, _Hold] = {}
        self._expecting: dict[object, float] = {}
        self._known: dict[int, ProcessIdentity] = {}

    @property
    def unavailable_because(self) -> str | None:
        """Why no signal reaches the service from here, as a clause; ``None`` where it does."""
        if self._endpoints.host(SERVICE) != HOST:
            return "the service runs in a container of its own; use container_pause or container_kill"
        if not hasattr(signal, "SIGSTOP"):
            return "this system has no signals that stop a process"
        if self._parent() is None:
            return "no supervisor of this stack runs the service"
        return None

    def running(self) -> Mapping[int, int]:
        """Return the process id of each replica that is there now, by the replica's number; a single one is 0."""
        state = load_state(self._home.state_file)
        parent = self._parent(state)
        process = parent.process() if parent is not None else None
        if state is None or parent is None or process is None:
            return {}
        if state.workers == 1:
            self._known[parent.pid] = parent
            return {0: parent.pid}
        found: dict[int, int] = {}
        with contextlib.suppress(psutil.Error):
            for child in process.children():
                with contextlib.suppress(psutil.Error):
                    replica = _REPLICA.search(" ".join(child.cmdline()))
                    if replica is not None and child.status() != psutil.STATUS_ZOMBIE:
                        found[int(replica[1])] = child.pid
                        self._known[child.pid] = ProcessIdentity(pid=child.pid, created_at=child.create_time())
        return dict(sorted(found.items()))

    def expect_ends(self, holder: object, within_s: float) -> None:
        """Have the supervisor start the service again however often it ends, for so many seconds; 0: no more."""
        if within_s > 0.0:
            self._expecting[holder] = self._now() + within_s
        elif self._expecting.pop(holder, None) is None:
            return
        until = max([self._now() + STILL_EXPECTED_S, *self._expecting.values()])
        expect_ends(self._home, SERVICE, until)

    def kill(self, pid: int) -> bool:
        """End a process of the service at once; return whether it was there."""
        process = self._process(pid)
        if process is None:
            return False
        with contextlib.suppress(psutil.Error):
            process.kill()
            return True
        return False

    async def stop(self, holder: object, pids: Sequence[int], within_s: float) -> int:
        """Stop processes for ``holder``; return how many there were. Raises ``NoGuard``, having let them go on."""
        identities = tuple(self._known[pid] for pid in pids if self._process(pid) is not None)
        if not identities:
            return 0
        note = self._leftovers.note(Stopped(processes=identities, until=self._now() + within_s))
        try:
            guard = await asyncio.to_thread(Guard, identities, within_s)
        except BaseException:
            self._leftovers.forget(note)
            raise
        self._holds[holder] = _Hold(identities, guard, note)
        stopped = 0
        for identity in identities:
            process = identity.process()
            if process is not None:
                with contextlib.suppress(psutil.Error):
                    process.suspend()
                    stopped += 1
        try:
            await asyncio.to_thread(guard.wait_until_armed)
        except NoGuard:
            await self.go_on(holder)
            raise
        return stopped

    async def go_on(self, holder: object) -> None:
        """Let what was stopped for ``holder`` go on, unless another holder keeps it stopped; harmless when repeated."""
        hold = self._holds.pop(holder, None)
        if hold is None:
            return
        kept = {identity for other in self._holds.values() for identity in other.processes}
        let_go_on(identity for identity in hold.processes if identity not in kept)
        await asyncio.to_thread(hold.guard.stand_down)
        self._leftovers.forget(hold.note)

    def _process(self, pid: int) -> psutil.Process | None:
        identity = self._known.get(pid)
        return identity.process() if identity is not None else None

    def _parent(self, state: StackState | None = None) -> ProcessIdentity | None:
        """Return whom the supervisor started as the service, whether or not it is there now."""
        state = state or load_state(self._home.state_file)
        units = state.units if state is not None else []
        return next((unit.identity for unit in units if unit.name == SERVICE), None)
