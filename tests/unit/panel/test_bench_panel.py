"""The benchmark of the panel: its figures, and its viewers on a real panel that looks at a canned stack."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from canned_stack import World, speaking
from canned_worlds import lively

from panel.bench.panel.endurance import Sample, figures, slope
from panel.bench.panel.viewer import look
from panel.commands.console import CommandError
from stack.endpoints import Endpoints
from tests.levels import thorough
from tests.live.conftest import ROOT, until

REFRESH_S = 0.5


@pytest.fixture(scope="module")
def world() -> World:
    """Return what the canned stack says."""
    return lively()


@pytest.fixture(scope="module")
def panel(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a panel that looks at a canned stack, and yield its address."""
    folder = tmp_path_factory.mktemp("panel")
    with speaking(world) as offset, (folder / "panel.log").open("wb") as log:
        url = Endpoints(offset).url("panel")
        environment = {
            "FIREDRILL_HOME": str(folder),
            "FIREDRILL_PORT_OFFSET": str(offset),
            "FIREDRILL_PACE": "workshop",
            "FIREDRILL_REFRESH_S": f"{REFRESH_S:g}",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "panel.serve"]
        with subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log) as process:
            try:
                until(lambda: process.poll() is not None or _answers(url), "the panel answers")
                assert process.poll() is None, (folder / "panel.log").read_text()
                yield url
            finally:
                process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_stcore/health", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@thorough
def test_many_viewers_ask_each_question_once_in_a_turn(panel: str, world: World) -> None:
    """Five look at Overview; Prometheus gets each question once in each refresh, and not five times."""
    counts: list[tuple[float, Counter[str]]] = []

    def count() -> None:
        asked = Counter(each.query["query"] for each in list(world.asked) if "/query" in each.path)
        counts.append((time.monotonic(), asked))

    crowd = asyncio.run(look(panel, [""] * 5, spread_s=0.4, settle_s=0.5, seconds=3.0, count=count, least=20))
    (began, before), (ended, after) = counts
    turns = (ended - began) / REFRESH_S
    assert crowd.runs >= 20
    assert max((after - before).values()) <= 2 * (turns + 2)  # which faults were seen is asked for two charts


@thorough
def test_a_viewer_notices_a_page_that_is_not_there(panel: str) -> None:
    """The benchmark does not measure a page that the panel does not have."""
    with pytest.raises(CommandError, match="no page 'nowhere'"):
        asyncio.run(look(panel, ["nowhere"], spread_s=0.0, settle_s=0.1, seconds=0.2, count=lambda: None))


def test_growth_is_projected_to_half_an_hour() -> None:
    """A heap that grows by a kilobyte a refresh grows by 0.9 MB in 900; a level one by nothing."""
    growing = [Sample(at, 1e7 + 4000 * at, 500.0, at * 0.02) for at in range(40, 180, 10)]
    shown = {figure.figure: figure for figure in figures(growing, 0.25, long=False)}
    heap = next(figure for name, figure in shown.items() if "heap in 30 min" in name)
    assert heap.value == pytest.approx(0.9)
    assert heap.holds
    assert "projected from 520 refreshes of 0.25 s" in heap.figure
    assert shown["a live refresh of Overview: the browser's main thread"].value == pytest.approx(5.0)
    assert slope([(0.0, 3.0), (1.0, 3.0), (2.0, 3.0)]) == 0.0
    assert slope([(0.0, 3.0)]) == 0.0


def test_a_heap_that_grows_too_much_falls_short() -> None:
    """What would fill the browser's memory within a workshop is not called level."""
    growing = [Sample(at, 1e7 + 50_000 * at, 500.0, at * 0.02) for at in range(40, 180, 10)]
    assert figures(growing, 0.25, long=True)[0].holds is False
