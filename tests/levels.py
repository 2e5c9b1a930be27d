"""How much of the tests runs: by default what ten minutes hold, more with ``--thorough``, all with ``--all-live``.

A default run has every part of the product in it; what it leaves out is more of the same, at other places or for
longer. A continuous integration runs the thorough one.
"""

from __future__ import annotations

import os

import pytest


def _asked(name: str) -> bool:
    return os.environ.get(name, "").lower() == "true"


ALL_LIVE = _asked("FIREDRILL_ALL_LIVE")
THOROUGH = ALL_LIVE or _asked("FIREDRILL_THOROUGH")
thorough = pytest.mark.skipif(not THOROUGH, reason="runs with `firedrill test --thorough`")
"""More than ten minutes hold, or once more what another test shows in short."""
on_request = pytest.mark.skipif(not ALL_LIVE, reason="takes a minute; runs with `firedrill test --all-live`")
"""What a benchmark or a shorter test stands in for even in a thorough run."""
