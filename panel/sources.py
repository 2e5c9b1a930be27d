"""Where the panel's data comes from: one feed per question, shared by all viewers. No Streamlit.

Clients are built from the home, ports and pace that the environment names; nothing is asked before someone looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from faults.base import FaultKind, FaultRecord
from faults.client import ConductorClient
from faults.drills.evidence import Evidence
from faults.drills.reasons import Why
from faults.drills.wire import AlertStatus, DrillInfo, DrillRun, JournalEntry, Notification
from panel.access.guarded import Allow, GuardedConductor, everyone
from panel.access.store import AccessStore
from panel.dashboards.feeds import DashboardFeeds
from panel.drawings import Drawings
from panel.logbook.feeds import Logbook
from panel.proof import Movement, read_movement
from panel.queries import Board, read_board, read_models
from panel.readings import Feed, Feeds, Reading
from panel.refresh import refresh_s
from panel.rounds import Rounds
from panel.rulebook.book import Rulebook
from panel.timeline.dots import read_dots
from panel.timeline.range import TimeRange, usual
from panel.timeline.reading import Known, read_story
from panel.timeline.story import Dot, Story
from panel.tryout.feeds import Tryout
from panel.workshop.feeds import WorkshopFeeds
from stack.clients.jaeger import DEFAULT_LOOKBACK_S, JaegerClient, Trace, TraceLog
from stack.clients.prometheus import PrometheusClient
from stack.endpoints import Endpoints
from stack.home import Home, endpoints_from_environment, pace_from_environment, workers_from_environment
from stack.pace import Pace
from stack.runtimes import read_status
from stack.status import StackStatus

ACTOR = "panel"
PROMETHEUS_TIMEOUT_S = 2.0
CONDUCTOR_TIMEOUT_S = 5.0
SLOW_S = 15.0
"""How long an answer that hardly ever changes is kept: fault kinds, drills, models."""

EVER = TimeRange(last_s=DEFAULT_LOOKBACK_S)
"""As far back as traces are looked for where nobody says how far."""

T = TypeVar("T")


@dataclass(frozen=True)
class TraceSearch:
    """Which traces are looked for. Durations in seconds; empty strings mean any."""

    service: str
    operation: str = ""
    fault: str = ""
    errors_only: bool = False
    min_duration_s: float = 0.0
    limit: int = 20
    over: TimeRange = EVER

    @property
    def tags(self) -> dict[str, str]:
        """The attributes that one span must have."""
        wanted = {"error": "true"} if self.errors_only else {}
        return wanted | ({"fault.kind": self.fault} if self.fault else {})


@dataclass(frozen=True)
class Lit:
    """A fault whose effect is asked for."""

    kind: str
    lit_at: float


@dataclass(frozen=True)
class Look:
    """Which lines of the journal are asked for: of the last so many seconds (0: all) and one actor (empty: all)."""

    last_s: float = 0.0
    actor: str = ""
    limit: int = 300


class Sources:
    """Every feed of the panel, and the clients that its buttons act through."""

    def __init__(
        self, home: Home, endpoints: Endpoints, pace: Pace, *, allow: Allow = everyone, workers: int = 1
    ) -> None:
        self.pace = pace
        self.access = AccessStore(home)
        self.allow = allow
        self.refresh_s = refresh_s(pace)
        self.conductor: ConductorClient = GuardedConductor(
            endpoints.url("conductor"), home.token(), allow=allow, timeout_s=CONDUCTOR_TIMEOUT_S
        )
        self._prometheus = PrometheusClient(endpoints.url("prometheus"), timeout_s=PROMETHEUS_TIMEOUT_S)
        self.traces = JaegerClient(endpoints.url("tracestore"), page_url=endpoints.link("tracestore"))
        self._quick_s = self.refresh_s
        quick, prometheus, jaeger = self._quick_s, self._prometheus, self.traces
        self.status: Feed[StackStatus] = Feed("the supervisor", lambda: read_status(home), ttl_s=2.0)
        self.drawings = Drawings()
        self.board = self._board(usual(pace))
        self.boards: Feeds[TimeRange, Board] = Feeds(
            lambda over: self.board if over == usual(pace) else self._board(over), limit=16
        )
        self.story: Feeds[TimeRange, Story] = Feeds(
            lambda over: self._over(over, quick, lambda now: read_story(prometheus, pace, over, now, self._known())),
            limit=16,
        )
        self.dots: Feeds[TimeRange, tuple[Dot, ...]] = Feeds(
            lambda over: self._over(over, 2 * quick, lambda now: read_dots(prometheus, over.grid(pace, now))), limit=16
        )
        self.models: Feed[tuple[str, ...]] = Feed("Prometheus", lambda: read_models(prometheus), ttl_s=SLOW_S)
        self.kinds: Feed[list[FaultKind]] = self._conducted(self.conductor.kinds, SLOW_S)
        self.faults: Feed[list[FaultRecord]] = self._conducted(self.conductor.faults, quick)
        self.alerts: Feed[list[AlertStatus]] = self._conducted(self.conductor.alerts, quick)
        self.drills: Feed[list[DrillInfo]] = self._conducted(self.conductor.drills, SLOW_S)
        self.runs: Feed[list[DrillRun]] = self._conducted(lambda: self.conductor.runs(limit=20), quick)
        self.notifications: Feed[list[Notification]] = self._conducted(
            lambda: self.conductor.notifications(limit=100), quick
        )
        self.movements: Feeds[Lit, Movement] = Feeds(
            lambda lit: Feed("Prometheus", lambda: self._movement(lit), ttl_s=quick)
        )
        self.run: Feeds[str, DrillRun] = Feeds(
            lambda run_id: self._conducted(lambda: self.conductor.run(run_id), quick)
        )
        self.why: Feeds[str, Why] = Feeds(lambda alert: self._conducted(lambda: self.conductor.why(alert), quick))
        self.evidence: Feeds[str, Evidence] = Feeds(
            lambda run_id: self._conducted(lambda: self.conductor.evidence(run_id), SLOW_S), limit=8
        )
        self.journal: Feeds[Look, list[JournalEntry]] = Feeds(
            lambda look: self._conducted(
                lambda: self.conductor.journal(look.limit, since=_ago(look.last_s), actor=look.actor), quick
            )
        )
        walker = ConductorClient(endpoints.url("conductor"), home.token(), timeout_s=CONDUCTOR_TIMEOUT_S)
        self.rounds = Rounds(walker, ACTOR, allow=allow)
        self.rulebook = Rulebook(home.artifacts, allow=allow)
        self.workshop = WorkshopFeeds(home, endpoints, pace, self.conductor)
        self.services: Feed[tuple[str, ...]] = Feed("the trace store", jaeger.services, ttl_s=5.0)
        self.operations: Feeds[str, tuple[str, ...]] = Feeds(
            lambda service: Feed("the trace store", lambda: jaeger.operations(service), ttl_s=5.0)
        )
        self.found: Feeds[TraceSearch, tuple[Trace, ...]] = Feeds(
            lambda search: Feed("the trace store", lambda: self._search(search), ttl_s=quick)
        )
        self.trace: Feeds[str, Trace] = Feeds(
            lambda trace_id: Feed("the trace store", lambda: jaeger.trace(trace_id), ttl_s=5.0)
        )
        self.logs: Feeds[str, tuple[TraceLog, ...]] = Feeds(
            lambda trace_id: Feed("the trace store", lambda: jaeger.logs(trace_id), ttl_s=5.0)
        )
        self.logbook = Logbook(endpoints, pace, quick_s=quick)
        self.dashboards = DashboardFeeds(prometheus, pace, lambda: self.status.get().value)
        self.tryout = Tryout(endpoints, workers, jaeger, self.logbook.client, quick_s=quick, allow=allow)

    @classmethod
    def from_environment(cls, *, allow: Allow = everyone) -> Sources:
        """Return the sources of the stack that started this process; ``allow`` says whether a viewer may act."""
        return cls(
            Home.from_environment(),
            endpoints_from_environment(),
            pace_from_environment(),
            allow=allow,
            workers=workers_from_environment(),
        )

    def expire(self) -> None:
        """Ask the conductor anew at the next look: something was just lit, put out, started or aborted."""
        for feed in (self.faults, self.alerts, self.runs):
            feed.expire()
        self.run.expire()

    def readings(self) -> tuple[Reading[Board], Reading[list[FaultRecord]], Reading[tuple[str, ...]]]:
        """Return one reading per source, to say how fresh each is."""
        return self.board.get(), self.faults.get(), self.services.get()

    def _over(self, over: TimeRange, quick_s: float, read: Callable[[float], T]) -> Feed[T]:
        """Return a feed of what Prometheus says over a range; ``read`` is given the time."""
        return Feed("Prometheus", lambda: read(time.time()), ttl_s=over.ttl_s(self.pace, quick_s, time.time()))

    def _board(self, over: TimeRange) -> Feed[Board]:
        return self._over(over, self._quick_s, lambda now: read_board(self._prometheus, self.pace, now, over))

    def _known(self) -> Known:
        """Return what the conductor says of faults and alerts, as far as it answers."""
        return Known(
            self.faults.get().value or (),
            self.alerts.get().value or (),
            self.notifications.get().value or (),
            self.runs.get().value or (),
        )

    def _conducted(self, read: Callable[[], T], ttl_s: float) -> Feed[T]:
        return Feed("the conductor", read, ttl_s=ttl_s)

    def _movement(self, lit: Lit) -> Movement:
        effect = next(kind.effect for kind in self.conductor.kinds() if kind.kind == lit.kind)
        return read_movement(self._prometheus, effect, self.pace, lit.lit_at)

    def _search(self, search: TraceSearch) -> tuple[Trace, ...]:
        return self.traces.search(
            search.service,
            operation=search.operation or None,
            tags=search.tags,
            min_duration_s=search.min_duration_s or None,
            start=time.time() - search.over.last_s if search.over.follows else search.over.start,
            end=None if search.over.follows else search.over.end,
            limit=search.limit,
        )


def _ago(last_s: float) -> float:
    """Return the Unix time ``last_s`` seconds ago; 0 asks for everything."""
    return time.time() - last_s if last_s else 0.0
