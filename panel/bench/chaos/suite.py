"""Kill -9 at random moments over conductor, service, panel and supervisor of a real stack, while faults burn.

Every choice follows from one seed, which is told. Afterwards no fault is active past its time to live, no process and
no port of the stack is left, and the journal can be read.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import psutil
from pydantic import JsonValue, TypeAdapter

from faults.base import FaultRecord, FaultRequest
from faults.client import ConductorClient, ConductorRefused
from faults.drills.wire import DrillStart
from faults.errors import FaultError
from panel.bench.chaos.aftermath import held_ports, journal_problem, overdue, processes_of, until
from panel.bench.figures import Figure
from panel.bench.workplace import Workplace, workplace
from panel.commands.console import CommandError
from stack.status import read_status

KILLS, SEED = 100, 1
VICTIMS = ("conductor", "service", "panel", "supervisor")
LONGEST_PAUSE_S = 1.5
LONGEST_TTL_S = 12.0
APART = 10_500
"""Ports far from those of other stacks: while the supervisor is dead nobody keeps them."""
BACK_WITHIN_S = 60.0
GONE_WITHIN_S = 15.0
DRILLS = ("model-missing", "error-burst")
FAULTS: tuple[tuple[str, dict[str, JsonValue]], ...] = (
    ("error", {"status": 500}),
    ("latency", {"delay_ms": 200}),
    ("model_load_failure", {"when": "reload"}),
    ("ood_inputs", {}),
    ("traffic_stop", {}),
    ("hang", {}),
)
KINDLED_WITHIN_S = 20.0
UNLIT_SHARE = 0.2
"""Of the kills: they come as they may, also while a part is still starting."""


_RECORDS = TypeAdapter(list[FaultRecord])


@dataclass
class Toll:
    """What the kills came to, and what was found wrong."""

    killed: Counter[str] = field(default_factory=Counter)
    lit: int = 0
    drills: int = 0
    restarts: int = 0
    overdue: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    longest_back_s: float = 0.0


class Killer:
    """Kills one process after the other, and sees to it that the stack is up for the next."""

    def __init__(self, place: Workplace, rng: random.Random, say: Callable[[str], None]) -> None:
        self._place, self._rng, self._say = place, rng, say
        self.toll = Toll()
        self._why = ""
        self._headers = {"Authorization": f"Bearer {place.home.token()}"}

    def strike(self, number: int, of: int) -> None:
        """Light something, wait for a random moment, and kill one process."""
        victim = self._rng.choice(VICTIMS)
        self._kindle()
        time.sleep(self._rng.uniform(0.0, LONGEST_PAUSE_S))
        process = self._process(victim)
        self._look()
        self._say(f"kill {number} of {of}: {victim} (pid {process.pid})")
        process.send_signal(signal.SIGKILL)
        self.toll.killed[victim] += 1
        if victim == "supervisor":
            self._bury()
        else:
            self._recovers(victim, process.pid)

    def settle(self) -> None:
        """Wait until every fault's time is over, look a last time, and bring the stack down."""
        deadline = time.monotonic() + LONGEST_TTL_S + 5.0
        while time.monotonic() < deadline:
            self._look()
            time.sleep(0.5)
        for process in processes_of(self._place.home):
            with suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_STOPPED:
                    self.toll.stopped.append(f"{process.pid} {process.name()}")
        self._place.down()
        self._bury_what_is_left()

    def _kindle(self) -> None:
        """Light a fault or start a drill as soon as that can be done; give up where it takes too long."""
        kind, parameters = self._rng.choice(FAULTS)
        ttl_s = self._rng.uniform(2.0, LONGEST_TTL_S)
        drill = self._rng.choice(DRILLS) if self._rng.random() < 0.2 else None
        if self._rng.random() < UNLIT_SHARE:
            return
        request = FaultRequest(kind=kind, parameters=parameters, ttl_s=ttl_s)
        if not until(lambda: self._lit(request, drill), KINDLED_WITHIN_S):
            self._say(f"{kind} could not be lit: {self._why}")

    def _lit(self, request: FaultRequest, drill: str | None) -> bool:
        """Try it once; a drill that cannot start now, since faults burn or another one runs, becomes a fault."""
        try:
            with self._place.conductor() as conductor:
                if drill is not None and self._started(conductor, drill):
                    self.toll.drills += 1
                else:
                    conductor.light(request, actor="chaos")
                    self.toll.lit += 1
        except FaultError as error:
            self._why = str(error)
            return False
        return True

    @staticmethod
    def _started(conductor: ConductorClient, drill: str) -> bool:
        try:
            conductor.start_drill(DrillStart(name=drill), actor="chaos")
        except ConductorRefused:
            return False
        return True

    def _look(self) -> None:
        """Note the faults that are active past their time to live, asked of the conductor and of the service itself."""
        records: list[FaultRecord] = []
        for name in ("conductor", "control"):
            with suppress(httpx.HTTPError, ValueError):
                url = self._place.endpoints.url(name, "/faults")
                records += _RECORDS.validate_json(httpx.get(url, headers=self._headers, timeout=2.0).content)
        late = overdue(records, time.time())
        self.toll.overdue += [one.id for one in late if one.id not in self.toll.overdue]

    def _process(self, victim: str) -> psutil.Process:
        """Return the running process of a part; bring the stack up where it has ended."""
        for _ in range(2):
            deadline = time.monotonic() + BACK_WITHIN_S
            while time.monotonic() < deadline:
                process = self._find(victim)
                if process is not None:
                    return process
                if self._given_up():
                    break
                time.sleep(0.05)
            self._restart()
        raise CommandError(f"the benchmark's stack has no {victim} any more; its log is {self._place.home.log_file}")

    def _find(self, victim: str) -> psutil.Process | None:
        status = read_status(self._place.home)
        pid = status.supervisor_pid
        if victim != "supervisor":
            pid = next((each.pid for each in status.components if each.name == victim), None)
        try:
            return None if pid is None else psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None

    def _given_up(self) -> bool:
        """Say whether the stack is down, or the supervisor has left a part alone after too many quick deaths."""
        status = read_status(self._place.home)
        return status.state == "down" or any("left alone" in each.detail for each in status.components)

    def _recovers(self, victim: str, pid: int) -> None:
        """Wait until a part that was killed runs anew; where the supervisor has given up, start everything again."""
        killed_at = time.monotonic()

        def back() -> bool:
            process = self._find(victim)
            return (process is not None and process.pid != pid) or self._given_up()

        if not until(back, BACK_WITHIN_S):
            raise CommandError(f"{victim} did not come back within {BACK_WITHIN_S:g} s of its kill")
        if self._given_up():
            self._restart()
        else:
            self.toll.longest_back_s = max(self.toll.longest_back_s, time.monotonic() - killed_at)

    def _bury(self) -> None:
        """See that nothing outlives the supervisor, and start the stack again."""
        self._bury_what_is_left()
        self._restart()

    def _bury_what_is_left(self) -> None:
        """Note processes and ports that are left of a stack whose supervisor has ended; end those processes."""
        until(lambda: not processes_of(self._place.home), GONE_WITHIN_S)
        for process in processes_of(self._place.home):
            try:
                self.toll.orphans.append(f"{process.pid} {' '.join(process.cmdline())}"[:200])
                process.kill()
            except psutil.NoSuchProcess:
                continue
        until(lambda: not held_ports(self._place.endpoints), GONE_WITHIN_S)  # the dying close them last
        self.toll.ports += held_ports(self._place.endpoints)

    def _restart(self) -> None:
        self.toll.restarts += 1
        self._place.down()
        self._place.up()


def measure(say: Callable[[str], None], *, kills: int | None = None, seed: int | None = None) -> list[Figure]:
    """Kill so many times (``FIREDRILL_CHAOS_KILLS``, else 100), and tell what was found afterwards."""
    kills = int(os.environ.get("FIREDRILL_CHAOS_KILLS", KILLS)) if kills is None else kills
    seed = int(os.environ.get("FIREDRILL_CHAOS_SEED", SEED)) if seed is None else seed
    with workplace(APART) as place:
        say(f"a stack to kill, seed {seed}")
        place.up()
        killer = Killer(place, random.Random(seed), say)
        for number in range(1, kills + 1):
            killer.strike(number, kills)
        say("every fault's time passes")
        killer.settle()
        problem = journal_problem(place.home)
    return _figures(killer.toll, kills, seed, problem)


def _figures(toll: Toll, kills: int, seed: int, problem: str) -> list[Figure]:
    over = ", ".join(f"{name} {count}" for name, count in sorted(toll.killed.items()))
    return [
        Figure(f"kill -9s ({over}; seed {seed})", sum(toll.killed.values()), "kills", kills, "at least"),
        Figure("faults lit meanwhile", toll.lit, "faults"),
        Figure("drills started meanwhile", toll.drills, "drills"),
        Figure("faults active past their time to live", len(toll.overdue), "faults", 0, note=", ".join(toll.overdue)),
        Figure("processes still stopped", len(toll.stopped), "processes", 0, note=", ".join(toll.stopped)),
        Figure("orphan processes", len(toll.orphans), "processes", 0, note="; ".join(toll.orphans)),
        Figure("held ports", len(toll.ports), "ports", 0, note=", ".join(map(str, toll.ports))),
        Figure("journals that cannot be read", int(bool(problem)), "journals", 0, note=problem),
        Figure("longest time until a killed part ran again", round(toll.longest_back_s, 1), "s"),
        Figure("times that the whole stack had to be started again", toll.restarts, "starts"),
    ]
