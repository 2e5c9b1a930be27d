"""How often the live parts of a page are drawn anew: by the pace, or as the environment says. No Streamlit."""

from __future__ import annotations

import os

from stack.errors import StackError
from stack.pace import Pace

SETTING = "FIREDRILL_REFRESH_S"
SHORTEST_S, LONGEST_S = 0.1, 60.0


class BadRefresh(StackError):  # noqa: N818 - reads as a fact where it is raised
    """The environment asks for a refresh that the panel cannot do."""

    def __init__(self, given: str) -> None:
        super().__init__(
            f"{SETTING}={given!r}: expected a number of seconds from {SHORTEST_S:g} to {LONGEST_S:g}; "
            "leave it out for a refresh that suits the pace"
        )


def refresh_s(pace: Pace) -> float:
    """Return the seconds between two refreshes. Raises ``BadRefresh``."""
    given = os.environ.get(SETTING, "")
    if not given:
        return min(5.0, max(1.0, pace.interval_s / 3))
    try:
        seconds = float(given)
    except ValueError:
        raise BadRefresh(given) from None
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise BadRefresh(given)
    return seconds
