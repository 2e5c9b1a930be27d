"""Attempts: one or more requests to a model, sent in the panel's process, so that no browser waits. No Streamlit.

The newest are kept, so that an address leads to one again, also in another browser. Nothing is decided here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from panel.access.guarded import Allow, everyone
from panel.tryout.counters import COUNTERS, LAST_VALUES, LastValue, Move, Samples, last_values, moves
from panel.tryout.inputs import Outside
from stack.clients.service import Answer, Payload, Series, ServedModel, ServiceClient
from stack.errors import SourceError, StackError

KEPT = 50
MOST_AT_ONCE = 4
NAMES = (*COUNTERS, *LAST_VALUES)


class TooManyAttempts(StackError):  # noqa: N818 - reads as a state where it is raised
    """As many attempts as may be are under way."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} attempts are under way already; wait until one is over, or stop one")


@dataclass(frozen=True)
class Wish:
    """What is to be sent, and how often. ``row`` and ``outside`` describe it; a picture has no row."""

    model: ServedModel
    payload: Payload
    count: int = 1
    row: tuple[float, ...] = ()
    outside: tuple[Outside, ...] = ()
    push: float = 0.0


@dataclass(frozen=True)
class Attempt:
    """How far an attempt is, or how it ended. ``problem`` says why it ended early: the service did not answer.

    ``moves`` are ``None`` until it is over, or where the service shows no metrics.
    """

    id: str
    at: float
    wish: Wish
    answers: tuple[Answer, ...] = ()
    problem: str = ""
    stopped: bool = False
    over: bool = False
    moves: tuple[Move, ...] | None = None
    last_values: tuple[LastValue, ...] = ()


class Attempts:
    """Sends attempts and keeps them. The service's counters are read at ``replicas``: each has its own."""

    def __init__(
        self,
        client: ServiceClient,
        replicas: Sequence[ServiceClient],
        *,
        allow: Allow = everyone,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._replicas, self._allow, self._now = client, tuple(replicas), allow, now
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._kept: OrderedDict[str, Attempt] = OrderedDict()
        self._stops: dict[str, threading.Event] = {}

    def start(self, wish: Wish) -> str:
        """Begin an attempt and return its id. Raises ``TooManyAttempts``; ``ReadOnly`` for whoever may not act."""
        self._allow()
        with self._lock:
            if len(self._stops) >= MOST_AT_ONCE:
                raise TooManyAttempts(MOST_AT_ONCE)
            attempt = Attempt(secrets.token_hex(4), self._now(), wish)
            self._kept[attempt.id] = attempt
            self._stops[attempt.id] = stop = threading.Event()
            for old in [each.id for each in self._kept.values() if each.over][: max(0, len(self._kept) - KEPT)]:
                del self._kept[old]
        threading.Thread(target=self._run, args=(attempt, stop), daemon=True).start()
        return attempt.id

    def get(self, attempt_id: str) -> Attempt | None:
        """Return an attempt; ``None`` for one that is not known, or forgotten."""
        return self._kept.get(attempt_id)

    def wait(self, attempt_id: str, timeout_s: float) -> None:
        """Return when an attempt is over, at the latest after ``timeout_s``: most take a few milliseconds."""
        with self._changed:
            self._changed.wait_for(lambda: (found := self._kept.get(attempt_id)) is None or found.over, timeout_s)

    def stop(self, attempt_id: str) -> None:
        """Send no more requests of an attempt; the one under way is still heard out. Raises ``ReadOnly``."""
        self._allow()
        with self._lock:
            if event := self._stops.get(attempt_id):
                event.set()

    def recent(self, model: str, limit: int = 8) -> tuple[Attempt, ...]:
        """Return the newest attempts at a model, newest first."""
        with self._lock:
            found = [each for each in reversed(self._kept.values()) if each.wish.model.name == model]
        return tuple(found[:limit])

    def _run(self, attempt: Attempt, stop: threading.Event) -> None:
        wish, done = attempt.wish, attempt
        try:
            before = self._samples()
            for number in range(wish.count):
                if stop.is_set():
                    done = replace(done, stopped=True)
                    break
                request_id = f"panel-{attempt.id}-{number + 1}"
                answer = self._client.predict(wish.model.name, wish.payload, request_id=request_id)
                done = replace(done, answers=(*done.answers, answer))
                self._keep(done)
            after = self._samples()
            if before is not None and after is not None:
                counted = moves(before, after, wish.model, done.answers)
                done = replace(done, moves=counted, last_values=last_values(after, wish.model))
        except SourceError as problem:
            done = replace(done, problem=str(problem))
        finally:
            self._keep(replace(done, over=True))

    def _keep(self, attempt: Attempt) -> None:
        with self._changed:
            self._kept[attempt.id] = attempt
            if attempt.over:
                self._stops.pop(attempt.id, None)
            self._changed.notify_all()

    def _samples(self) -> Samples | None:
        """Return the counters of all replicas added up; ``None`` where none of them shows any."""
        summed: dict[Series, float] = {}
        for replica in self._replicas:
            try:
                for series, value in replica.samples(NAMES).items():
                    is_last = series[0] in LAST_VALUES
                    summed[series] = value if is_last else summed.get(series, 0.0) + value
            except SourceError:
                continue  # a service that is away says so at the request itself
        return summed or None
