"""What a source said last, and how fresh that is. No Streamlit, no knowledge of any source.

One feed serves every viewer: it asks its source at most once per time to live, whoever looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from faults.errors import FaultError
from stack.errors import StackError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
State = Literal["fresh", "stale", "unreachable"]
log = logging.getLogger(__name__)

KEEP_S = 30.0
"""How long the last good answer is still shown (as stale) when its source no longer answers, in seconds."""


@dataclass(frozen=True)
class Reading(Generic[T]):
    """The last good answer of a source, when it came, and why there is no newer one."""

    source: str
    value: T | None
    taken_at: float | None
    problem: str | None = None

    @property
    def state(self) -> State:
        """Fresh, stale (an older answer is shown) or unreachable (there is nothing to show)."""
        if self.problem is None:
            return "fresh"
        return "unreachable" if self.value is None else "stale"


class Feed(Generic[T]):
    """Reads one source, shares the answer, and survives the source's failures.

    It asks at most once in each turn of ``ttl_s``, however many look. Turns end half-way between the looks of whoever
    came first: one who looks again after ``ttl_s``, a little late or early, always gets a new answer, and others who
    look in between share it. A read that fails is tried again after the time to live, or after twice as long as it
    took where that is longer, so that a source that hangs does not make every refresh hang.
    """

    def __init__(
        self,
        source: str,
        read: Callable[[], T],
        *,
        ttl_s: float,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source, self._read, self._ttl_s, self._keep_s, self._clock = source, read, ttl_s, keep_s, clock
        self._lock = threading.Lock()
        self._reading: Reading[T] = Reading(source, None, None, "it has not been asked yet")
        self._due = 0.0

    def get(self) -> Reading[T]:
        """Return the shared reading, read anew where it is due. Never raises for a source that fails."""
        if self._clock() < self._due:
            return self._reading
        if not self._lock.acquire(blocking=self._reading.value is None):
            return self._reading  # someone else is reading at this moment: their viewers wait, ours see the last answer
        try:
            if self._clock() >= self._due:
                self._refresh()
            return self._reading
        finally:
            self._lock.release()

    def expire(self) -> None:
        """Read anew at the next look: something was just changed."""
        self._due = 0.0

    def _refresh(self) -> None:
        began = self._clock()
        try:
            value = self._read()
        except (StackError, FaultError) as problem:
            self._fail(str(problem), began)
        except Exception as problem:
            log.exception("unexpected answer of %s", self._source)
            self._fail(f"{self._source} gave an answer that was not understood ({type(problem).__name__})", began)
        else:
            self._reading = Reading(self._source, value, self._clock())
            in_turn = began - self._due < self._ttl_s
            self._due = self._due + self._ttl_s if in_turn else began + self._ttl_s / 2

    def _fail(self, problem: str, began: float) -> None:
        now, last = self._clock(), self._reading
        keep = last.taken_at is not None and now - last.taken_at <= self._keep_s
        self._reading = Reading(self._source, last.value if keep else None, last.taken_at, problem)
        self._due = now + max(self._ttl_s, 2 * (now - began))


class Feeds(Generic[K, T]):
    """Feeds of the same shape by key, such as one per search; the least recently used ones are forgotten."""

    def __init__(self, make: Callable[[K], Feed[T]], *, limit: int = 64) -> None:
        self._make, self._limit = make, limit
        self._feeds: OrderedDict[K, Feed[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> Reading[T]:
        """Return the reading for ``key``."""
        return self._feed(key).get()

    def expire(self) -> None:
        """Read anew, whatever is asked next."""
        with self._lock:
            for feed in self._feeds.values():
                feed.expire()

    def _feed(self, key: K) -> Feed[T]:
        with self._lock:
            if key not in self._feeds:
                self._feeds[key] = self._make(key)
                if len(self._feeds) > self._limit:
                    self._feeds.popitem(last=False)
            self._feeds.move_to_end(key)
            return self._feeds[key]
