"""What a process says of its faults in its own metrics: how many are active, how often they acted, what else it did.

Read from the exposition itself and not by way of Prometheus, whose newest sample may be a scrape old.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from stack.endpoints import Endpoints, of_replicas

ACTIVE, INJECTIONS, REQUESTS = "firedrill_fault_active", "firedrill_fault_injections_total", "http_requests_total"
ATTACHED_REQUESTS = "firedrill_requests_total"
"""What the control endpoint of an app of the user's has in the place of ``REQUESTS`` (``faults.attach_control``)."""
_NAMES = f"{ACTIVE}|{INJECTIONS}|{REQUESTS}|{ATTACHED_REQUESTS}"
_SAMPLE = re.compile(rf"^({_NAMES})(?:\{{.*?\}})? ([0-9.eE+-]+)(?:\s|$)", re.MULTILINE)


@dataclass(frozen=True)
class Counters:
    """Sums over all labels."""

    active: float
    injections: float
    requests: float


class NoCounters(Exception):  # noqa: N818 - reads as a fact where it is raised
    """A process did not show the counters that were looked for; the message says why."""


def read_counters(text: str) -> Counters:
    """Return the counters in an exposition; raise ``NoCounters`` where it lacks one of them."""
    sums: dict[str, float] = {}
    for found, value in _SAMPLE.findall(text):
        name = REQUESTS if found == ATTACHED_REQUESTS else found
        sums[name] = sums.get(name, 0.0) + float(value)
    missing = [name for name in (ACTIVE, INJECTIONS, REQUESTS) if name not in sums]
    if missing:
        raise NoCounters(f"its metrics have no {', '.join(missing)}")
    return Counters(sums[ACTIVE], sums[INJECTIONS], sums[REQUESTS])


@dataclass(frozen=True)
class Page:
    """The metrics of one process: what it is called, and the base URL that they are at."""

    name: str
    base: str

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return f"{self.base}/metrics"


class Pages:
    """The metrics of the service, or of each of its replicas, over HTTP."""

    def __init__(self, pages: Sequence[Page], *, token: str = "", timeout_s: float = 2.0) -> None:
        """``token`` is what pages want that are not open to everyone."""
        self.pages = tuple(pages)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(headers=headers, timeout=timeout_s, trust_env=False)

    async def read(self, page: Page) -> Counters:
        """Return what ``page`` says now; raise ``NoCounters``."""
        try:
            answer = await self._client.get(page.url)
        except httpx.HTTPError as error:
            raise NoCounters(f"it does not answer at {page.url} ({error or type(error).__name__})") from None
        if answer.is_error:
            raise NoCounters(f"{page.url} answers {answer.status_code}")
        return read_counters(answer.text)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def pages_of(endpoints: Endpoints, workers: int) -> Pages:
    """Return the metrics of the service of a stack, which has so many replicas."""
    if workers == 1:
        return Pages([Page("the service", endpoints.url("service"))])
    names = enumerate(of_replicas("replica", workers))
    return Pages([Page(f"replica {index} of the service", endpoints.url(name)) for index, name in names])


@dataclass
class StandStill:
    """Watches one process's counters until they have shown that nothing acts any more."""

    further: int
    """Requests that must come in without one of them being acted on."""
    now: Callable[[], float]
    because: str = "it was not asked yet"
    """Why it is not shown yet, as a clause."""
    requests: float = 0.0
    _from: Counters | None = None
    _since: float = 0.0

    def see(self, counters: Counters) -> bool:
        """Take the counters of this moment; return whether enough has been seen."""
        before = self._from
        if counters.active or before is None or counters.requests < before.requests:
            self._begin(None if counters.active else counters)
            self.because = f"{ACTIVE} is {counters.active:g}" if counters.active else "no request has come in since"
            return False
        if counters.injections != before.injections:
            more = counters.injections - before.injections
            self._begin(counters)
            self.because = f"{INJECTIONS} went on by {more:g}"
            return False
        self.requests = counters.requests - before.requests
        self.because = f"only {self.requests:g} of {self.further} further requests have come in"
        return self.requests >= self.further

    def miss(self, because: str) -> None:
        """Note that there was nothing to see."""
        self._begin(None)
        self.because = because

    def idle_s(self) -> float:
        """Return how long it has been watched without enough requests, in seconds; 0 while it is not in sight."""
        return 0.0 if self._from is None else self.now() - self._since

    def _begin(self, counters: Counters | None) -> None:
        self._from, self._since, self.requests = counters, self.now(), 0.0
