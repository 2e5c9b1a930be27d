"""A world that has lived through its calm, in a process of its own: each recording branches off there, by fork.

Scenarios that differ in nothing before the fault have the same calm, which is the better part of many. A branch gives
the samples that its scenario alone would give. Only for a process without threads, on Linux; nobody else is told.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from faults.drills.virtual.errors import BranchFailed, TrunkLost
from faults.drills.virtual.record import FOLDER, record, record_in, refuse
from faults.drills.virtual.recording import Recording
from faults.drills.virtual.scenario import Scenario
from faults.drills.virtual.world import Parting
from faults.errors import FaultError
from service.errors import ServiceError

_PR_SET_PDEATHSIG = 1
_RECORDING, _PROBLEM = "recording", "problem"
_FAILED = 3
"""Exit code of a branch that wrote why there is no recording."""
_standing: list[Trunk] = []
"""The one of this process, which stands until another one is needed."""


def calm_of(scenario: Scenario, calm_s: float) -> Scenario:
    """Return what ``scenario`` is until ``calm_s``, as long as nothing burns."""
    return replace(scenario, name="", calm_s=calm_s, burn_s=0.0, recovery_s=0.0, schedule=())


def can_branch() -> bool:
    """Return whether worlds can part in this process: a fork takes one thread along and leaves the others."""
    alone = threading.current_thread() is threading.main_thread() and threading.active_count() == 1
    return sys.platform == "linux" and alone


def record_branch(scenario: Scenario, calm_s: float, *, artifacts: Path) -> Recording:
    """Return what ``record`` would of ``scenario``, whose first ``calm_s`` are lived through once for many.

    Raises what ``record`` would, or ``BranchFailed`` with its words.
    """
    refuse(scenario)
    if not can_branch():
        return record(scenario, artifacts=artifacts)
    calm = calm_of(scenario, calm_s)
    try:
        return _trunk_of(calm, artifacts).record(scenario)
    except TrunkLost:  # it failed or died, and with it the branch: alone that is done again, or fails where it is seen
        close_trunk()
        return record(scenario, artifacts=artifacts)


def close_trunk() -> None:
    """End the trunk of this process; harmless where there is none."""
    while _standing:
        _standing.pop().close()


def _trunk_of(calm: Scenario, artifacts: Path) -> Trunk:
    if not _standing or (_standing[0].calm, _standing[0].artifacts) != (calm, artifacts):
        close_trunk()
        _standing.append(Trunk(calm, artifacts))
    return _standing[0]


class Trunk:
    """A process that lives through ``calm`` and waits there. It ends with the process that asked for it."""

    def __init__(self, calm: Scenario, artifacts: Path) -> None:
        self.calm, self.artifacts = calm, artifacts
        self._folder = Path(tempfile.gettempdir()) / f"{FOLDER}{secrets.token_hex(8)}"
        self._line, theirs = Pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()
            _be(partial(_stand, _Post(calm, artifacts, self._folder, theirs)), parent)
        theirs.close()

    def record(self, scenario: Scenario) -> Recording:
        """Return the recording of ``scenario``, which begins with this calm; raise ``BranchFailed``, ``TrunkLost``."""
        self._folder.mkdir(mode=0o700)
        try:
            self._line.send(scenario)
            ended_with = self._line.recv()
            if ended_with == _FAILED:
                raise BranchFailed((self._folder / _PROBLEM).read_text(encoding="utf-8"))
            if ended_with != 0:
                raise TrunkLost(f"the branch of {scenario.name} ended with {ended_with}")
            recording: Recording = pickle.loads((self._folder / _RECORDING).read_bytes())  # noqa: S301 - our own child's
        except (EOFError, OSError) as error:
            raise TrunkLost(str(error) or "it ended") from None
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return recording

    def close(self) -> None:
        """End it."""
        self._line.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


@dataclass(frozen=True)
class _Post:
    """What the process of a trunk knows: its world, where its branches write, and the line to whoever wants them."""

    calm: Scenario
    artifacts: Path
    folder: Path
    line: Connection

    def next_branch(self) -> Scenario:
        """Wait for a scenario; return it, in a process of its own. In this one it does not return."""
        loop, trunk = asyncio.get_running_loop(), os.getpid()
        while True:
            scenario = self._asked()
            branch = os.fork()
            if branch == 0:
                _bind(trunk)
                asyncio._set_running_loop(loop)  # noqa: SLF001 - as asyncio's documentation has it for makers of loops
                return scenario
            _, status = os.waitpid(branch, 0)
            self.line.send(os.waitstatus_to_exitcode(status))

    def write(self, name: str, content: bytes) -> None:
        """Leave ``content`` for whoever wanted the branch."""
        (self.folder / name).write_bytes(content)

    def _asked(self) -> Scenario:
        try:
            scenario: Scenario = self.line.recv()
        except (EOFError, OSError):  # nobody is left to ask
            os._exit(0)
        return scenario


def _stand(post: _Post) -> int:
    """Be a trunk, and in the processes that it forks its branches; return the exit code of one of these."""
    trunk = os.getpid()
    parting = Parting(post.calm.calm_s, post.next_branch)
    try:
        recording = record_in(post.folder, post.calm, artifacts=post.artifacts, parting=parting)
    except (FaultError, ServiceError) as problem:
        if os.getpid() == trunk:  # the calm failed: so does whatever begins with it, which then says so itself
            return 1
        post.write(_PROBLEM, str(problem).encode())
        return _FAILED
    post.write(_RECORDING, pickle.dumps(recording, protocol=pickle.HIGHEST_PROTOCOL))
    return 0


def _be(what: Callable[[], int], parent: int) -> NoReturn:
    """Be a child that does ``what`` and nothing of what its parent would go on with."""
    code = 1
    try:
        _bind(parent)
        code = what()
    finally:
        os._exit(code)


def _bind(parent: int) -> None:
    """End with ``parent``, whatever ends it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
