"""A few kills of the benchmark: whatever was killed, nothing burns past its time and nothing is left."""

from __future__ import annotations

import os

import pytest

from panel.bench.chaos import suite
from tests.levels import on_request

pytestmark = [on_request, pytest.mark.live, pytest.mark.timeout(420), pytest.mark.xdist_group("chaos")]

KILLS = 4


def test_a_few_kills_leave_nothing_behind(programs: None) -> None:
    """Four kill -9s over the stack's own parts; ``FIREDRILL_CHAOS_KILLS`` makes it more."""
    said: list[str] = []
    kills = int(os.environ.get("FIREDRILL_CHAOS_KILLS", KILLS))
    figures = suite.measure(said.append, kills=kills, seed=suite.SEED)
    judged = [figure for figure in figures if figure.holds is not None]
    assert len(judged) == 6
    broken = [(figure.figure, figure.value, figure.note) for figure in judged if not figure.holds]
    assert not broken, said
