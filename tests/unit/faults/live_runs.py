"""Runs of the library on a real stack, measured once: what became of each expected alert, and when.

``live_runs.json`` says when and on what. It is made from the evidence that the runs left (``data/runs`` of the home).
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from faults.drills.wire import DrillRun


@cache
def live_runs() -> dict[str, DrillRun]:
    """Return the runs by the name of their drill."""
    read = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {one["name"]: DrillRun.model_validate(one) for one in read["runs"]}
