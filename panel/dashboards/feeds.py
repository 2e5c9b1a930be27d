"""What the pages Dashboards, SLOs and Host ask, once for all their viewers. No Streamlit.

Only what somebody looks at is asked for: a feed nobody reads is silent.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from panel.dashboards.answers import BoardAnswer
from panel.dashboards.asking import Glance, read_choices, read_panels
from panel.dashboards.board import Board, Variable
from panel.dashboards.file import read_board, shipped
from panel.dashboards.objectives import Promises, read_promises
from panel.dashboards.parts import PartsMeter, PartsUse
from panel.readings import Feed, Feeds
from stack.clients.prometheus import PrometheusClient
from stack.pace import Pace
from stack.status import StackStatus

NAME = "Prometheus"
LEAST_REFRESH_S = 2.0
CHOICES_S = 15.0
MOST_GLANCES = 24
"""So many different looks at dashboards are remembered; each holds the points of all its panels."""
MOST_BROUGHT = 12
"""So many dashboards that somebody brought are kept, in this process alone."""


class DashboardFeeds:
    """The feeds of dashboards, of the objectives, and of who uses the machine."""

    def __init__(self, prometheus: PrometheusClient, pace: Pace, status: Callable[[], StackStatus | None]) -> None:
        self._brought: OrderedDict[str, Board] = OrderedDict()
        self._lock = threading.Lock()
        self._prometheus, self._pace = prometheus, pace
        self.panels: Feeds[Glance, BoardAnswer] = Feeds(self._panels, limit=MOST_GLANCES)
        self.choices: Feeds[tuple[str, str], tuple[str, ...]] = Feeds(
            lambda asked: Feed(NAME, lambda: read_choices(prometheus, *asked), ttl_s=CHOICES_S)
        )
        self.promises: Feed[Promises] = Feed(NAME, lambda: read_promises(prometheus), ttl_s=LEAST_REFRESH_S)
        meter = PartsMeter(time.time)
        self.parts: Feed[PartsUse] = Feed("the supervisor", lambda: meter.read(status()), ttl_s=LEAST_REFRESH_S)

    def boards(self) -> tuple[Board, ...]:
        """Return every dashboard that there is: the shipped ones, then those that were brought."""
        with self._lock:
            return (*shipped(), *self._brought.values())

    def bring(self, text: str, name: str) -> Board:
        """Take in a dashboard that somebody brings. Raises ``DashboardError``."""
        board = read_board(text, name)
        with self._lock:
            self._brought[board.uid] = board
            self._brought.move_to_end(board.uid)
            if len(self._brought) > MOST_BROUGHT:
                self._brought.popitem(last=False)
        return board

    def offered(self, variable: Variable) -> tuple[str, ...]:
        """Return what there is to choose for a variable, as far as that is known."""
        if not variable.expr:
            return variable.values
        return self.choices.get((variable.expr, variable.label)).value or ()

    def _panels(self, glance: Glance) -> Feed[BoardAnswer]:
        board = next(each for each in self.boards() if each.uid == glance.board)
        now = time.time()
        ttl_s = glance.over.ttl_s(self._pace, 0.9 * glance.refresh_s, now)
        return Feed(NAME, lambda: read_panels(self._prometheus, board, glance, self._pace, time.time()), ttl_s=ttl_s)
