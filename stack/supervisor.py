"""The supervisor: starts the components in the order of their needs, restarts what dies unasked, stops all with itself.

One event loop in the main thread, no other threads; ``stack.detached`` is how ``up --detach`` runs it. It never decides
what a stack consists of (``stack.components``) and fetches or renders nothing (``stack.preparation``).
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence

from stack.child import Child, describe_exit
from stack.component import ROOT, Component, check_table, child_environment
from stack.errors import StackError
from stack.events import Event, EventKind, OnEvent
from stack.expected import ends_are_expected
from stack.locks import FileLock
from stack.logbook import Logbook, LogLine
from stack.plan import Plan
from stack.probes import probe
from stack.state import ProcessIdentity, StackPhase, StackState, UnitPhase
from stack.units import RestartPolicy, Unit

STOP_WITHIN_S = 4.0
"""All components are gone so long after the request; what is left then is killed."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StackNotReady(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A component did not become ready, so the start was taken back."""

    def __init__(self, component: str, reason: str, log: tuple[str, ...]) -> None:
        self.component, self.reason, self.log = component, reason, log
        said = "\n  its last words:\n    " + "\n    ".join(log) if log else "; it printed nothing"
        super().__init__(f"{component} did not become ready: {reason}; everything was stopped again{said}")


class Supervisor:
    """Runs one stack: the ``components`` that its plan wants.

    ``on_line`` gets every log line as well (the terminal of a stack in the foreground).
    """

    def __init__(
        self,
        plan: Plan,
        components: Sequence[Component],
        *,
        table: str,
        lock: FileLock,
        on_event: OnEvent,
        on_line: Callable[[LogLine], None] | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        check_table(components)
        self._plan, self._table, self._lock = plan, table, lock
        self._components = components
        self._on_event, self._on_line = on_event, on_line
        self._policy = policy or RestartPolicy()
        self._units: dict[str, Unit] = {}
        self._started_at = time.time()
        self._phase: StackPhase = "starting"
        self._failure: StackNotReady | None = None

    async def run(self) -> None:
        """Start everything, keep it running until SIGINT, SIGTERM or SIGHUP, stop everything.

        Raises ``StackNotReady`` where a component ends or misses its deadline before the stack has been up.
        """
        loop = asyncio.get_running_loop()
        self._lock.sign()
        self._logbook = Logbook(self._plan.home.log_file)
        self._told: asyncio.Future[None] = loop.create_future()
        self._units = {component.name: Unit(component) for component in self._components}
        for number in SIGNALS:
            loop.add_signal_handler(number, self._tell_to_stop)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self._save()
        keepers = [loop.create_task(self._keep(unit)) for unit in self._units.values()]
        watch = [loop.create_task(self._announce()), *keepers]
        try:
            await self._until_told(watch)
        finally:
            await self._shut_down(watch)
            for number in (*SIGNALS, signal.SIGCHLD):
                loop.remove_signal_handler(number)
            self._plan.home.state_file.unlink(missing_ok=True)
            self._logbook.close()
            self._lock.release()
        if self._failure is not None:
            raise self._failure

    async def _until_told(self, watch: Sequence[asyncio.Task[None]]) -> None:
        pending: set[asyncio.Future[None]] = {*watch, self._told}
        while not self._told.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a mistake of ours surfaces here instead of leaving a component unwatched

    def _tell_to_stop(self) -> None:
        if not self._told.done():
            self._told.set_result(None)

    async def _announce(self) -> None:
        """Tell once that everything is ready."""
        while not all(unit.ready.is_set() for unit in self._units.values()):
            for unit in self._units.values():
                await unit.ready.wait()
        self._phase = "up"
        self._save()
        took = time.time() - self._started_at
        self._say("up", "", f"all {len(self._units)} components are ready after {took:.1f} s", seconds=took)

    async def _keep(self, unit: Unit) -> None:
        """Start a component, and again whenever it ends, until it is given up."""
        for name in unit.component.needs:
            await self._units[name].ready.wait()
        while True:
            born = time.monotonic()
            reason = await self._live(unit, born)
            lived = time.monotonic() - born
            unit.ready.clear()
            unit.quick_deaths = unit.quick_deaths + 1 if lived < self._policy.quick_s else 0
            if ends_are_expected(self._plan.home, unit.name):
                unit.quick_deaths = min(unit.quick_deaths, self._policy.attempts - 1)
            given_up = unit.quick_deaths >= self._policy.attempts
            if self._phase == "starting" and (not unit.was_ready or given_up):
                self._set(unit, "stopped", reason)
                self._failure = self._failure or StackNotReady(unit.name, reason, tuple(unit.last_lines))
                self._tell_to_stop()
                return
            if given_up:
                text = f"{reason}; {unit.quick_deaths} quick ends in a row: left alone until `firedrill down` and `up`"
                self._set(unit, "gave up", text)
                self._say("gave up", unit.name, text)
                return
            delay_s = self._policy.delay_s(unit.quick_deaths)
            unit.state.restarts += 1
            self._set(unit, "restarting", f"{reason}; restart {unit.state.restarts} follows in {delay_s:g} s")
            self._say("ended", unit.name, unit.state.detail)
            await asyncio.sleep(delay_s)

    async def _live(self, unit: Unit, born: float) -> str:
        """Run a component once, from its start to its end; return in words how it ended."""
        try:
            unit.child = Child(
                unit.component.argv(self._plan),
                environment=child_environment(unit.component, self._plan),
                directory=ROOT,
                on_line=lambda text: self._log(unit, text),
            )
        except OSError as error:
            return f"could not be started ({error})"
        unit.state.identity, unit.state.started_at = unit.child.identity, time.time()
        self._set(unit, "starting", "")
        self._say("starting", unit.name, f"pid {unit.child.pid}")
        late = await self._until_ready(unit, unit.child)
        if late is None:
            took = time.monotonic() - born
            unit.was_ready = True
            unit.ready.set()
            self._set(unit, "ready", "")
            self._say("ready", unit.name, f"ready after {took:.1f} s", seconds=took)
        elif not unit.child.exited.done():
            unit.child.kill()
            await asyncio.shield(unit.child.exited)
            return late
        return describe_exit(await asyncio.shield(unit.child.exited))

    async def _until_ready(self, unit: Unit, child: Child) -> str | None:
        """Probe until ready; return ``None`` then, else what was missing at the deadline or at the process's end."""
        wanted = unit.component.probe
        missing = [self._plan.endpoints.port(name) for name in unit.component.probed(self._plan.workers)]
        deadline = time.monotonic() + wanted.deadline_s
        while True:
            answer = await probe(missing[0], wanted.path)
            if child.exited.done():
                return "it ended"
            del missing[: answer.ready]
            if not missing:
                return None
            if time.monotonic() >= deadline:
                return f"not ready within {wanted.deadline_s:g} s: {answer.reason}"
            await asyncio.wait([child.exited], timeout=0.05)

    async def _shut_down(self, watch: Sequence[asyncio.Task[None]]) -> None:
        self._phase = "stopping"
        for task in watch:
            task.cancel()
        await asyncio.gather(*watch, return_exceptions=True)
        why = f"{self._failure.component} did not become ready" if self._failure else "asked to stop"
        self._say("stopping", "", why)
        self._save()
        stops = [asyncio.ensure_future(self._stop(unit)) for unit in self._units.values()]
        await asyncio.wait(stops, timeout=STOP_WITHIN_S)
        for unit in self._units.values():
            if unit.child is not None:
                unit.child.kill()
        await asyncio.wait(stops, timeout=1.0)
        if self._failure is not None:
            component, reason, log = self._failure.component, self._failure.reason, self._failure.log
            self._tell(Event(kind="failed", component=component, text=reason, log=log))
        self._say("stopped", "", "everything is stopped")

    async def _stop(self, unit: Unit) -> None:
        """End a component once whoever needs or uses it is gone."""
        for other in self._units.values():
            if unit.name in other.component.needs or unit.name in other.component.uses:
                await other.gone.wait()
        if unit.child is not None and not unit.child.exited.done():
            unit.child.terminate()
            await asyncio.wait([unit.child.exited], timeout=unit.component.grace_s)
            unit.child.kill()
            code = await asyncio.shield(unit.child.exited)
            self._say("stopped", unit.name, describe_exit(code))
        self._set(unit, "stopped", "")
        unit.gone.set()

    def _reap(self) -> None:
        for unit in self._units.values():
            if unit.child is not None:
                unit.child.reap()

    def _set(self, unit: Unit, phase: UnitPhase, detail: str) -> None:
        unit.state.phase, unit.state.detail = phase, detail
        self._save()

    def _save(self) -> None:
        state = StackState(
            supervisor=ProcessIdentity.own(),
            phase=self._phase,
            started_at=self._started_at,
            offset=self._plan.endpoints.offset,
            pace=self._plan.pace.name,
            traffic=self._plan.traffic,
            workers=self._plan.workers,
            table=self._table,
            app=self._plan.app.url if self._plan.app is not None else "",
            units=[unit.state for unit in self._units.values()],
        )
        with contextlib.suppress(OSError):  # a full disk costs `status` its news, not the stack its life
            state.save(self._plan.home.state_file)

    def _log(self, unit: Unit, text: str) -> None:
        unit.last_lines.append(text)
        self._write(LogLine.now(unit.name, text))

    def _write(self, line: LogLine) -> None:
        self._logbook.write(line)
        if self._on_line is not None:
            self._on_line(line)

    def _say(self, kind: EventKind, component: str, text: str, *, seconds: float | None = None) -> None:
        self._tell(Event(kind=kind, component=component, text=text, seconds=seconds))

    def _tell(self, event: Event) -> None:
        about = f"{event.component}: " if event.component else ""
        self._logbook.write(LogLine.now("supervisor", f"{event.kind}: {about}{event.text}"))
        self._on_event(event)
