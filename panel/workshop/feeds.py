"""What the workshop's parts ask beyond what all pages ask: traffic, silences, practice rules. No Streamlit."""

from __future__ import annotations

from faults.client import ConductorClient
from faults.drills.wire import TrafficStatus
from panel.readings import Feed
from panel.workshop.memory import Memory
from stack.clients.alertmanager import AlertmanagerClient, Silence
from stack.endpoints import Endpoints
from stack.home import Home
from stack.pace import Pace
from stack.practice import Practice

TIMEOUT_S = 2.0
SLOW_S = 5.0


class WorkshopFeeds:
    """The workshop's feeds, the memory of what the tour has seen, and the practice rules."""

    def __init__(self, home: Home, endpoints: Endpoints, pace: Pace, conductor: ConductorClient) -> None:
        alertmanager = AlertmanagerClient(endpoints.url("alertmanager"), timeout_s=TIMEOUT_S)
        self.memory = Memory()
        self.practice = Practice(home, endpoints.url("prometheus"), pace)
        self.traffic: Feed[TrafficStatus] = Feed("the conductor", conductor.traffic, ttl_s=1.0)
        self.silences: Feed[tuple[Silence, ...]] = Feed("Alertmanager", alertmanager.silences, ttl_s=SLOW_S)
