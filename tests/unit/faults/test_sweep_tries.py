"""A sweep records and judges for real: the same in this process, in others and on a cluster; kept by content."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from faults.drills.check import sweep as module
from faults.drills.check.cache import Cache
from faults.drills.check.check import Options, check
from faults.drills.check.curve import Curves, Search, curves_of
from faults.drills.check.curve_page import curve_csv, curve_html
from faults.drills.check.curve_picture import curve_picture
from faults.drills.check.curve_search import varied
from faults.drills.check.matrix import CellState, Matrix, matrix_of
from faults.drills.check.matrix_expected import Expectations, Wish
from faults.drills.check.matrix_page import matrix_csv, matrix_html
from faults.drills.check.matrix_picture import matrix_picture
from faults.drills.check.matrix_redundant import redundant_alerts
from faults.drills.check.matrix_words import detectors
from faults.drills.check.places import alerts_of
from faults.drills.check.responses import response_of
from faults.drills.check.result import Response
from faults.drills.check.sweep import Progress, Sweeper, TryFailed, sweep
from faults.drills.check.tried import Tried
from faults.drills.virtual.scenario import Scenario
from panel.commands.curve_table import draw_curves
from panel.commands.matrix_table import draw_matrix
from stack.rules.file import RuleFile
from stack.rules.read import load_rules
from tests.levels import thorough
from tests.unit.faults.small_sweeps import HORIZON, small_scenarios, written_rules

ROOT = Path(__file__).resolve().parents[3]


class World:
    """What was tried once for all tests of this module."""

    def __init__(self, folder: Path, artifacts: Path) -> None:
        self.folder, self.artifacts = folder, artifacts
        self.rules_file = written_rules(folder)
        self.rules: RuleFile = load_rules(self.rules_file)
        self.scenarios: list[Scenario] = small_scenarios(self.rules)
        self.cache = Cache(folder / "kept")
        self.said: list[Progress] = []
        self.tries: list[Tried] = list(self.swept(self.said.append))

    def swept(
        self, tell: Callable[[Progress], None] = lambda _: None, *, rules: RuleFile | None = None
    ) -> Iterator[Tried]:
        """Try all scenarios in this process, with what is kept."""
        with Sweeper.started(self.artifacts, jobs=1, cache=self.cache) as sweeper:
            yield from sweeper.sweep(self.scenarios, [rules or self.rules], on_progress=tell)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> World:
    """Three scenarios, tried."""
    return World(tmp_path_factory.mktemp("sweep"), trained)


def _responses(tries: list[Tried]) -> dict[tuple[str, str], Response]:
    refs = {course.ref for one in tries for course in one.judgement.phases[0].alerts}
    return {
        (one.scenario.name, ref.alert): response_of([one], ref)
        for one in sorted(tries, key=lambda each: each.scenario.name)
        for ref in refs
    }


def test_each_fault_rings_its_own_alarm_and_progress_is_told(world: World) -> None:
    """The steady state is silent, and how much is left is estimated from what was done."""
    found = _responses(world.tries)
    assert {key for key, one in found.items() if one.fired and key[1] != "AlwaysOn"} == {
        ("error", "Errors"),
        ("error", "ErrorsLater"),
        ("latency", "Slow"),
    }
    assert found["steady state", "Errors"].fired == 0
    assert [(one.done, one.total, one.kept) for one in world.said] == [(0, 3, 0), (1, 3, 0), (2, 3, 0), (3, 3, 0)]
    assert world.said[0].left_s is None
    assert world.said[1].left_s is not None
    assert world.said[1].left_s > 0
    assert world.said[-1].left_s == 0
    assert {one.last for one in world.said[1:]} == {"steady state", "error", "latency"}


def test_what_was_tried_is_not_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same question is answered from what is kept, without a recording and without an engine."""
    monkeypatch.setattr(module, "_recorded", _never)
    monkeypatch.setattr(module.Judge, "started", _never)
    said: list[Progress] = []
    again = list(world.swept(said.append))
    assert _responses(again) == _responses(world.tries)
    assert [one.kept for one in said] == [0, 1, 2, 3]


def test_other_rules_are_judged_on_the_recordings_that_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who edits a threshold waits for the judge alone."""
    monkeypatch.setattr(module, "_recorded", _never)
    edited = load_rules(world.rules_file)
    group = edited.groups[0]
    stricter = tuple(replace(rule, expr=rule.expr.replace("> 0.2", "> 2")) for rule in group.rules)
    said: list[Progress] = []
    found = _responses(list(world.swept(said.append, rules=replace(edited, groups=(replace(group, rules=stricter),)))))
    assert not found["error", "Errors"].fired
    assert found["latency", "Slow"].fired
    assert said[-1].kept == 0


def _never(*_: object, **__: object) -> None:
    raise AssertionError("this should not have been needed")


@thorough
def test_processes_say_what_this_one_says(world: World) -> None:
    """Two workers, nothing kept: the same lives of the same alerts, whatever order they come in."""
    two = [one for one in world.scenarios if one.schedule]
    found = list(sweep(two, [world.rules], artifacts=world.artifacts, jobs=2))
    expected = {key: one for key, one in _responses(world.tries).items() if key[0] != "steady state"}
    assert _responses(found) == expected


@thorough
def test_a_dask_cluster_says_what_this_process_says(world: World) -> None:
    """The same by joblib's Dask back end, on a cluster of this machine that another program has started."""
    distributed = pytest.importorskip("distributed")
    burning = [one for one in world.scenarios if one.name == "error"]
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        address = cluster.scheduler_address
        found = list(sweep(burning, [world.rules], artifacts=world.artifacts, backend="dask", scheduler=address))
    expected = {key: one for key, one in _responses(world.tries).items() if key[0] == "error"}
    assert _responses(found) == expected


def test_a_scenario_that_cannot_be_is_said_to_be_so(world: World) -> None:
    """Its name and the reason, from whatever process."""
    nowhere = replace(world.scenarios[0], name="elsewhere", dialect="nobody-speaks-it")
    with pytest.raises(TryFailed, match=r"elsewhere could not be tried: .*nobody-speaks-it"):
        list(sweep([nowhere], [world.rules], artifacts=world.artifacts, jobs=1))


def _matrix(world: World, expectations: Expectations) -> Matrix:
    options = Options(faults=("error", "latency"))
    result = check([world.rules], options, lambda _scenarios, _rules: iter(world.tries), engine="Prometheus 1")
    tried = result.model_copy(update={"scenarios": [one.name for one in world.scenarios]})
    return matrix_of(tried, world.tries, expectations)


def _states(matrix: Matrix) -> dict[str, list[CellState]]:
    return {row.name: [cell.state for cell in row.cells] for row in matrix.rows}


def test_a_matrix_tells_expected_missed_false_and_what_nobody_said_anything_of(world: World) -> None:
    """Every state that a cell may have, each by the wishes and the tries that lead to it."""
    wishes = {
        "Errors": {"error": Wish.EXPECTED, "latency": Wish.EXPECTED},
        "ErrorsLater": {"error": Wish.ALLOWED},
    }
    matrix = _matrix(world, Expectations("a table", wishes, frozenset({"Slow"})))
    assert matrix.scenarios == ["steady state", "error", "latency"]
    assert _states(matrix) == {
        "Errors": [CellState.QUIET, CellState.DETECTED, CellState.MISSED],
        "ErrorsLater": [CellState.QUIET, CellState.ALLOWED, CellState.QUIET],
        "Slow": [CellState.QUIET, CellState.QUIET, CellState.FALSE],
        "AlwaysOn": [CellState.FALSE, CellState.ALREADY, CellState.ALREADY],
        "NotOurs": [CellState.NOT_COVERED] * 3,
    }
    assert {(one.alert, one.fault) for one in matrix.wrong} == {
        ("Errors", "latency"),
        ("Slow", "latency"),
        ("AlwaysOn", "steady state"),
    }
    assert matrix.uncovered == []
    (redundant,) = matrix.redundant
    assert (redundant.alert, redundant.beside, redundant.faults) == ("ErrorsLater", "Errors", ["error"])
    assert not redundant.same_time
    detected = matrix.cell(matrix.rows[0], "error").detection_s
    assert detected is not None
    assert 30.0 <= detected.least <= detected.most <= 120.0
    assert Matrix.model_validate_json(matrix.model_dump_json()) == matrix


def test_without_wishes_nothing_is_wrong_but_a_false_alarm_and_a_fault_may_be_uncovered(world: World) -> None:
    """What fires for a fault that nobody spoke of is told, and is no fault of the alert's."""
    some = [one for one in world.tries if one.scenario.name != "latency"]
    world_without = _matrix(world, Expectations("nothing"))
    assert [one.alert for one in world_without.wrong] == ["AlwaysOn"]
    assert world_without.count(CellState.ALSO) == 3
    quiet = world_without.model_copy(update={"rows": [one for one in world_without.rows if one.name == "Errors"]})
    assert [row.name for row, _ in detectors(quiet, "latency")] == []
    assert [one.alert for one in redundant_alerts(some, {row.place: row.name for row in world_without.rows})] == [
        "ErrorsLater"
    ]


def test_the_matrix_is_drawn_in_every_form(world: World) -> None:
    """A page without anything from outside, a table, pictures that are the same every time, and a terminal of 80."""
    matrix = _matrix(world, Expectations("a table", {"Errors": {"error": Wish.EXPECTED}}))
    page = matrix_html(matrix)
    assert "<script" not in page
    assert 'src="http' not in page
    assert "ErrorsLater fires for what Errors fires for (error), and never earlier" in page
    lines = matrix_csv(matrix).splitlines()
    assert len(lines) == 1 + 5 * 3
    assert any(line.startswith("Errors,small,critical,fires,error,detected,6,6,") for line in lines)
    assert matrix_picture(matrix, "png").startswith(b"\x89PNG")
    assert matrix_picture(matrix, "svg") == matrix_picture(matrix, "svg")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(draw_matrix(matrix, width=80))
    drawn = console.export_text()
    assert max(map(len, drawn.splitlines())) <= 80
    assert "AlwaysOn fires without any fault" in drawn


@thorough
def test_a_curve_finds_the_weakest_fault_that_fires_and_how_long_each_takes(world: World) -> None:
    """Above a fifth of errors the alert fires, the stronger the sooner; every form of it says so."""
    fault, least, most = varied("error", least=0.05, most=0.9)
    base = replace(world.scenarios[0], burn_s=HORIZON.burn_s, calm_s=HORIZON.calm_s, recovery_s=HORIZON.recovery_s)
    search = Search(base, fault, least, most, points=3, resolution=0.5)
    alerts = [one for one in alerts_of([world.rules]) if one.rule.name in {"Errors", "Slow"}]
    with Sweeper.started(world.artifacts, jobs=1, cache=world.cache) as sweeper:
        errors, slow = curves_of(search, alerts, lambda some: sweeper.sweep(some, [world.rules], sides=False))
    assert errors.fires_from is not None
    assert errors.silent_to is not None
    assert errors.fires_from - errors.silent_to <= 0.5 * errors.fires_from
    assert errors.silent_to < 0.3
    assert errors.fires_from > 0.1
    assert not slow.fired
    strongest = errors.points[-1]
    weakest = next(one for one in errors.points if one.intensity == errors.fires_from)
    assert strongest.detection_median_s is not None
    assert weakest.detection_median_s is not None
    assert strongest.detection_median_s <= weakest.detection_median_s
    curves = Curves(
        files=["small.yml"],
        fault="error",
        parameter="probability",
        unit="share",
        resolution=0.5,
        curves=[errors, slow],
        calm_s=HORIZON.calm_s,
        burn_s=HORIZON.burn_s,
        recovery_s=HORIZON.recovery_s,
        seeds=[1],
    )
    assert "Slow does not fire at any intensity up to 90 %" in curve_html(curves)
    assert len(curve_csv(curves).splitlines()) == 1 + len(errors.points) + len(slow.points)
    assert curve_picture(curves, "svg") == curve_picture(curves, "svg")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(draw_curves(curves))
    assert f"Errors fires from {errors.fires_from * 100:.3g} % on" in console.export_text().replace("\n", " ")
