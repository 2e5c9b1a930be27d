"""The native runtime: bring a stack of processes of this machine up, and take it down.

``up`` takes the lock, tidies up, has everything prepared (``stack.preparation``) and hands over to the supervisor, in
this process or in a detached one. ``down`` works from what was written down, also after the supervisor was killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from stack.child import describe_exit
from stack.component import ROOT, table_named, wanted
from stack.detached import command_line
from stack.errors import StackError
from stack.events import Event, OnEvent, ignore, read_from
from stack.home import Home
from stack.locks import FileLock, lock_path
from stack.logbook import LogLine
from stack.plan import Plan
from stack.preparation import Options, prepare
from stack.state import ProcessIdentity, load_state
from stack.status import StackStatus, read_status
from stack.supervisor import StackNotReady, Supervisor

__all__ = [
    "DOWN_WITHIN_S",
    "AlreadyUp",
    "HomeUnusable",
    "Options",
    "Stopped",
    "SupervisorLost",
    "down",
    "end_leftovers",
    "up",
]

DOWN_WITHIN_S = 5.0


class AlreadyUp(StackError):  # noqa: N818 - reads as a fact where it is raised
    """This home's stack is up, or somebody is bringing it up at this moment."""

    def __init__(self, home: Home, holder: ProcessIdentity | None, phase: str | None) -> None:
        self.home, self.pid, self.phase = home, holder.pid if holder else None, phase
        doing = {"up": "is already up", "stopping": "is just stopping"}.get(phase or "", "is already being started")
        whose = f" (pid {self.pid})" if self.pid is not None else ""
        super().__init__(
            f"the stack in {home.root} {doing}{whose}; see `firedrill status`, stop it by `firedrill down`"
        )


class HomeUnusable(StackError):  # noqa: N818 - as above
    """The folder of the stack cannot be written to."""

    def __init__(self, home: Home, reason: str) -> None:
        super().__init__(f"{home.root} cannot be used ({reason}); set FIREDRILL_HOME to a folder of your own")


class SupervisorLost(StackError):  # noqa: N818 - as above
    """The detached supervisor ended while the stack was starting: stopped by somebody, killed, or by a mistake."""

    def __init__(self, code: int, log: Path) -> None:
        how = "was stopped" if code == 0 else describe_exit(code)
        super().__init__(f"the supervisor {how} while the stack was starting; see `firedrill logs` ({log})")


@dataclass(frozen=True)
class Stopped:
    """What ``down`` found. ``was_up`` says whether a supervisor was there; ``killed`` names what had to be killed."""

    was_up: bool
    components: tuple[str, ...]
    killed: tuple[str, ...] = ()


def up(
    options: Options,
    *,
    detach: bool,
    on_event: OnEvent = ignore,
    on_line: Callable[[LogLine], None] | None = None,
) -> StackStatus:
    """Bring the stack up. Call from the main thread.

    Detached: return its status when everything is ready. In the foreground: return when it was stopped (by SIGINT,
    SIGTERM, SIGHUP or ``down``); ``on_line`` gets every log line meanwhile.

    Raises ``AlreadyUp``, ``HomeUnusable``, whatever ``preparation.prepare`` raises, and ``StackNotReady`` after having
    stopped what was started.
    """
    lock = FileLock(lock_path(options.home))
    try:
        acquired = lock.acquire(within_s=0.3)  # a moment of patience: `status` looks at the lock too
        for folder in (options.home.data, options.home.artifacts, options.home.log_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeUnusable(options.home, str(error)) from error
    if not acquired:
        state = load_state(options.home.state_file)
        raise AlreadyUp(options.home, lock.holder(), state.phase if state else None)
    try:
        plan = _prepare(options, on_event)
        if detach:
            _run_detached(options, plan, lock, on_event)
        else:
            supervisor = Supervisor(
                plan,
                wanted(table_named(options.table), plan),
                table=options.table,
                lock=lock,
                on_event=on_event,
                on_line=on_line,
            )
            asyncio.run(supervisor.run())
    finally:
        lock.release()
    return read_status(options.home)


def down(home: Home) -> Stopped:
    """Stop this home's stack, whoever started it, within 5 s. Harmless where nothing runs."""
    lock = FileLock(lock_path(home))
    state = load_state(home.state_file)
    was_up = lock.is_held()
    if was_up:
        _end_holder(lock)
    killed = end_leftovers(home)
    names = tuple(unit.name for unit in state.units if unit.phase not in {"waiting", "stopped"}) if state else ()
    return Stopped(was_up=was_up, components=names if was_up else killed, killed=killed)


def _end_holder(lock: FileLock) -> None:
    """Ask whoever holds the lock to stop; kill it where it does not within 5 s."""
    deadline = time.monotonic() + DOWN_WITHIN_S
    for number in (signal.SIGTERM, signal.SIGKILL):
        holder = lock.holder()
        process = holder.process() if holder is not None and lock.is_held() else None
        if process is not None:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        while lock.is_held() and time.monotonic() < deadline:
            time.sleep(0.02)
        deadline = time.monotonic() + 1.0


def end_leftovers(home: Home) -> tuple[str, ...]:
    """Kill what a killed supervisor left running, and forget it; return the names.

    Only processes that the state file names, by id and time of birth, and their descendants.
    """
    state = load_state(home.state_file)
    if state is None:
        return ()
    found = {unit.name: unit.identity.process() for unit in state.units if unit.identity is not None}
    alive = {name: process for name, process in found.items() if process is not None}
    doomed: list[psutil.Process] = []
    for process in alive.values():
        with contextlib.suppress(psutil.Error):
            doomed += [process, *process.children(recursive=True)]
    for process in doomed:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _await_end(doomed)
    home.state_file.unlink(missing_ok=True)
    return tuple(alive)


def _await_end(processes: Iterable[psutil.Process]) -> None:
    """Wait until all have ended; a zombie that nobody collects has ended too."""
    deadline = time.monotonic() + DOWN_WITHIN_S
    while time.monotonic() < deadline and any(map(_runs, processes)):
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _prepare(options: Options, on_event: OnEvent) -> Plan:
    left = end_leftovers(options.home)
    if left:
        on_event(Event(kind="preparing", text=f"ended what a killed supervisor had left: {', '.join(left)}"))
    return prepare(options, on_event)


def _run_detached(options: Options, plan: Plan, lock: FileLock, on_event: OnEvent) -> None:
    """Start the supervisor in a session of its own, give it the lock, and wait for ``up`` or ``failed``."""
    reader, writer = os.pipe()
    command = command_line(plan, options.table, lock_fd=lock.descriptor, event_fd=writer)
    with plan.home.log_file.open("ab") as log:
        supervisor = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _with_root(os.environ.get("PYTHONPATH"))},
            start_new_session=True,
            pass_fds=(lock.descriptor, writer),
        )
    os.close(writer)
    failed: Event | None = None
    try:
        for event in read_from(reader):
            on_event(event)
            if event.kind == "up":
                return
            if event.kind == "failed":
                failed = event
    except BaseException:  # Ctrl-C while waiting takes the start back
        supervisor.terminate()
        supervisor.wait()
        raise
    code = supervisor.wait()
    if failed is not None:
        raise StackNotReady(failed.component, failed.text, failed.log)
    raise SupervisorLost(code, plan.home.log_file)


def _with_root(inherited: str | None) -> str:
    return os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)])
