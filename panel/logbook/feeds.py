"""What the Logs page asks: which services write logs, and the records and counts of one search. No Streamlit."""

from __future__ import annotations

import time
from dataclasses import dataclass

from panel.logbook import table
from panel.readings import Feed, Feeds
from panel.timeline.range import TimeRange
from stack.clients.logs import EmbeddedLogs, LogPage, LogsClient, LogSearch, Severity
from stack.clients.loki import LokiClient
from stack.endpoints import Endpoints
from stack.pace import Pace

TIMEOUT_S = 10.0
"""A search over a whole day reads for a while."""
SERVICES_TTL_S = 5.0
SLOTS = 60
CALM = 2.0
"""A list of many records is read anew at every so-manieth refresh: nobody reads it faster."""


@dataclass(frozen=True)
class Wanted:
    """A search over a stretch of time; what viewers share. Empty strings mean any."""

    over: TimeRange
    service: str = ""
    text: str = ""
    least: Severity = "UNSET"
    trace_id: str = ""
    request_id: str = ""
    limit: int = 100

    def at(self, now: float) -> LogSearch:
        """Return the search as it is at the moment ``now`` (Unix seconds)."""
        end = now if self.over.follows else self.over.end
        return LogSearch(
            start=end - self.over.last_s if self.over.follows else self.over.start,
            end=end,
            service=self.service,
            text=self.text,
            least=self.least,
            trace_id=self.trace_id,
            request_id=self.request_id,
            limit=self.limit,
            slots=SLOTS,
        )


@dataclass(frozen=True)
class Listing:
    """What a search found, and its records as HTML: made once per refresh, for all viewers."""

    page: LogPage
    html: str


class Logbook:
    """The feeds of the page."""

    def __init__(self, endpoints: Endpoints, pace: Pace, *, quick_s: float) -> None:
        self.client = LogsClient(
            EmbeddedLogs(endpoints.url("tracestore"), timeout_s=TIMEOUT_S),
            LokiClient(endpoints.url("loki"), timeout_s=TIMEOUT_S),
        )
        self.services: Feed[tuple[str, ...]] = Feed("the log store", self.client.services, ttl_s=SERVICES_TTL_S)
        self.listings: Feeds[Wanted, Listing] = Feeds(lambda wanted: self._listing(wanted, pace, quick_s), limit=16)

    def _listing(self, wanted: Wanted, pace: Pace, quick_s: float) -> Feed[Listing]:
        ttl_s = wanted.over.ttl_s(pace, CALM * quick_s, time.time())
        return Feed("the log store", lambda: self._search(wanted), ttl_s=ttl_s)

    def _search(self, wanted: Wanted) -> Listing:
        page = self.client.search(wanted.at(time.time()))
        return Listing(page, table.records(page.lines))
