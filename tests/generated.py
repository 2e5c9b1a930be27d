"""How many examples a test of generated inputs tries: a sample by default, all of them by ``--all-live``.

The examples differ from run to run, so that many runs see what one does not.
"""

from __future__ import annotations

from tests.levels import ALL_LIVE

SHARE = 4
"""Of so many examples one is tried by default."""
LEAST = 15


def examples(number: int) -> int:
    """Return how many of ``number`` examples to try."""
    return number if ALL_LIVE else max(LEAST, number // SHARE)
