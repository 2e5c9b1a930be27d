"""What can be wrong with a dashboard that somebody brings. Every subclass takes facts and builds its own message.

DashboardError (of ``stack.dashboards``)
├── NotADashboard    a file that holds no dashboard
└── TooMuch          a file, or a dashboard, that is larger than what the panel takes
"""

from __future__ import annotations

from stack.dashboards.errors import DashboardError


class NotADashboard(DashboardError):  # noqa: N818 - reads as a fact where it is raised
    """A file is not what Grafana exports as a dashboard."""

    def __init__(self, name: str, found: str) -> None:
        self.name, self.found = name, found
        super().__init__(
            f"{name} is no dashboard: {found}. Take the JSON that Grafana gives under Export (the classic model)."
        )


class TooMuch(DashboardError):  # noqa: N818 - as above
    """A file holds more than the panel takes."""

    def __init__(self, name: str, found: str, most: str) -> None:
        self.name, self.found, self.most = name, found, most
        super().__init__(f"{name} has {found}; the panel draws {most} at most. Split it into several dashboards.")
