"""What is expected of which alert, and what a curve tries: tables, drills and bisection, without any world."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.drills.check.curve import Search, edge
from faults.drills.check.curve_search import varied
from faults.drills.check.matrix_expected import BadExpectations, Wish, library_expectations, read_expectations
from faults.drills.check.matrix_words import clock, span
from faults.drills.check.result import Range
from faults.drills.check.scenarios import READY, ReadyFault, steady
from faults.drills.spec import load_library

ALERTS = ("Errors", "Slow")


@pytest.mark.parametrize(
    ("alert", "fault", "wish"),
    [
        ("HighErrorRate", "error", Wish.EXPECTED),
        ("HighErrorRate", "error (exception)", Wish.ALLOWED),
        ("ModelNotLoaded", "model_load_failure (cold)", Wish.EXPECTED),
        ("ModelReloadFailing", "model_load_failure (reload)", Wish.EXPECTED),
        ("MetricsMissing", "scrape_failure (empty)", Wish.EXPECTED),
        ("ServiceDown", "crash", Wish.EXPECTED),
        ("DataDriftSpike", "latency", Wish.NOTHING),
        ("SomethingOfMine", "error", Wish.NOTHING),
    ],
)
def test_the_library_expects_of_the_fault_that_is_most_like_its_drill(alert: str, fault: str, wish: Wish) -> None:
    """Modes of a kind that ring distinct alarms are told apart."""
    assert library_expectations().of(alert, fault) is wish


def test_every_alert_that_a_drill_of_one_kind_expects_is_expected_of_a_fault() -> None:
    """No drill of the library speaks of a fault that the matrix does not have."""
    expectations = library_expectations()
    for drill in load_library().values():
        if len({step.kind for step in drill.faults}) == 1:
            for one in drill.expect:
                assert any(expectations.of(one.alert, fault.name) is Wish.EXPECTED for fault in READY), drill.name


def _table(folder: Path, text: str) -> Path:
    path = folder / "wishes.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_names_faults_by_scenario_or_kind_and_may_silence_the_others(tmp_path: Path) -> None:
    """A kind means all its modes where no fault has just its name."""
    text = "Errors:\n  expected: [error, model_load_failure]\n  allowed: [hang]\n  silent: others\n"
    found = read_expectations(_table(tmp_path, text), ALERTS)
    assert [found.of("Errors", one) for one in ("error", "error (exception)", "hang", "latency")] == [
        Wish.EXPECTED,
        Wish.SILENT,
        Wish.ALLOWED,
        Wish.SILENT,
    ]
    assert found.of("Errors", "model_load_failure (cold)") is found.of("Errors", "model_load_failure (reload)")
    assert found.of("Slow", "error") is Wish.NOTHING


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Erors: {}", "no alert among these rules named 'Erors'; did you mean Errors?"),
        ("Errors: {expected: [eror]}", "no fault named 'eror'; did you mean error"),
        ("Errors: {expected: [hang], silent: [hang]}", "hang is both expected and silent"),
        ("Errors: {wanted: [hang]}", "line 1: Errors.wanted: unknown key"),
        ("Errors: {silent: all}", "line 1: Errors.silent: input should be a valid list, got 'all'"),
        ("- Errors", "mapping"),
        ("Errors: [", "line "),
        ("Errors: {}\nErrors: {}", "Errors"),
    ],
)
def test_a_table_that_means_nothing_is_refused_with_every_reason(tmp_path: Path, text: str, said: str) -> None:
    """File, line, what was meant."""
    with pytest.raises(BadExpectations) as refused:
        read_expectations(_table(tmp_path, text), ALERTS)
    assert said in str(refused.value)
    assert "wishes.yaml is no table of expectations" in str(refused.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(BadExpectations, match="cannot be read"):
        read_expectations(tmp_path / "none.yaml", ALERTS)


@pytest.mark.parametrize(
    ("fires", "silent", "from_on"),
    [
        ({0.1: False, 0.2: True, 0.4: True}, 0.1, 0.2),
        ({0.1: True, 0.2: False, 0.4: True}, 0.2, 0.4),
        ({0.1: False, 0.2: False}, 0.2, None),
        ({0.1: True, 0.2: True}, None, 0.1),
        ({0.1: False, 0.2: True, 0.4: False}, 0.4, None),
        ({}, None, None),
    ],
)
def test_the_edge_is_where_firing_holds_from_then_on(
    fires: dict[float, bool], silent: float | None, from_on: float | None
) -> None:
    """An alert that fires below and not above has its edge above."""
    assert edge(fires) == (silent, from_on)


@pytest.mark.parametrize("at_once", [1, 3])
def test_bisection_ends_at_the_resolution_and_never_leaves_its_bounds(at_once: int) -> None:
    """However many are tried at once; the edge is then known as well as was asked for."""
    fault, least, most = varied("error", least=0.001, most=1.0)
    search = Search(steady(60.0), fault, least, most, points=4, resolution=0.05, at_once=at_once)
    limit, seen = 0.0437, {one: one > 0.0437 for one in search.grid()}
    assert min(seen) == 0.001
    assert max(seen) == 1.0
    for _ in range(20):
        silent, fires = edge(seen)
        assert silent is not None
        assert fires is not None
        wanted = search.between(silent, fires)
        assert len(wanted) <= at_once
        assert all(silent < one < fires for one in wanted)
        if not wanted:
            break
        seen |= {one: one > limit for one in wanted}
    silent, fires = edge(seen)
    assert silent is not None
    assert fires is not None
    assert silent <= limit < fires
    assert fires - silent <= 0.05 * fires + 1e-9


def test_whole_parameters_are_bisected_in_whole_steps() -> None:
    """Threads are not divided."""
    fault, least, most = varied("cpu_burn")
    search = Search(steady(60.0), fault, least, most, resolution=0.001)
    assert all(one.is_integer() for one in search.grid())
    assert search.between(4.0, 5.0) == []
    assert search.between(4.0, 7.0) == [5.0]


def test_a_scenario_has_the_strength_it_is_named_after_and_the_same_dice_at_each() -> None:
    """A stronger fault hits what the weaker one hits, and more."""
    fault: ReadyFault
    fault, _, _ = varied("error")
    search = Search(steady(60.0), fault, 0.1, 1.0, seeds=(1, 2))
    found = search.scenarios([0.1, 0.5])
    requests = [one.schedule[0].request for one in found]
    assert [one.probability for one in requests] == [0.1, 0.1, 0.5, 0.5]
    assert requests[0].seed == requests[2].seed != requests[1].seed
    assert [one.name for one in found] == ["0.1", "0.1", "0.5", "0.5"]


def test_times_read_as_minutes() -> None:
    """A range whose ends read the same is one time."""
    assert (clock(42.4), clock(345.0), clock(9000.0)) == ("0:42", "5:45", "2 h 30")
    assert span(Range(least=322.6, most=337.5)) == "5:23–5:38"
    assert span(Range(least=30.0, most=30.2)) == "0:30"
    assert span(None) == "–"
