"""A drill on a running stack next to virtual ones: every stage lies where the virtual clock says."""

from __future__ import annotations

import json

import pytest

from tests.levels import thorough
from tests.live.conftest import SHARED, LiveStack

pytestmark = [pytest.mark.live, SHARED, pytest.mark.timeout(420)]
SEEDS = "3"


@thorough
def test_a_live_drill_agrees_with_virtual_ones(stack: LiveStack) -> None:
    """`agree` holds a live run against virtual ones, and finds every stage within the range; the stack is left alone.

    Ten seeds are held against a run that was kept, in ``tests/unit/faults/test_rehearsal_library.py``.
    """
    before = len(stack.conductor().runs())
    lived = [one for one in stack.conductor().runs() if one.name == "model-missing" and one.verdict == "passed"]
    what = ("--run", lived[0].id) if lived else ("model-missing",)  # of the library's own test, where that ran here
    done = stack.cli("agree", *what, "--seeds", SEEDS, "--jobs", "1", "--json", timeout_s=300.0)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    (drill,) = said["drills"]
    assert said["agrees"] is True
    assert (drill["drill"], drill["live_verdict"], drill["seeds"]) == ("model-missing", "passed", int(SEEDS))
    stages = {one["stage"]: one for one in drill["alerts"][0]["stages"]}
    assert stages["firing"]["live_s"] is not None
    assert stages["firing"]["least_s"] <= stages["firing"]["most_s"]
    assert all(one["agrees"] for one in stages.values()), stages
    assert len(stack.conductor().runs()) == before + (not lived)
    assert [one.kind for one in stack.conductor().faults() if one.state == "active"] == []
