"""Figures, how they are held against their targets, and how ``firedrill bench`` tells them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from typer.testing import CliRunner

from panel.bench.figures import Figure
from panel.bench.service.comparison import telemetry, throughput
from panel.bench.service.contenders import BARE, COMMON, COMMON_SKLEARN, MLSERVER, OURS, SILENT
from panel.bench.service.pressure import Cost
from panel.cli import application
from panel.commands import measure

LOW, HIGH = Figure("size", 3.0, "MB", 4.0), Figure("size", 5.0, "MB", 4.0)


def bench(monkeypatch: pytest.MonkeyPatch, *figures: Figure) -> Callable[..., tuple[int, str]]:
    """Return what runs a benchmark that measures ``figures``: exit code and what it prints."""
    made_up = ModuleType("made_up_benchmark")
    vars(made_up)["measure"] = lambda _say: list(figures)
    monkeypatch.setitem(sys.modules, made_up.__name__, made_up)
    monkeypatch.setattr(measure, "BENCHES", {"made-up": made_up.__name__})

    def run(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(application(), ["bench", "made-up", *options])
        return done.exit_code, done.stdout

    return run


def test_a_target_is_the_most_or_the_least() -> None:
    """A bound from above and one from below judge the same value in opposite ways, and include their limit."""
    assert (LOW.holds, HIGH.holds, Figure("size", 4.0, "MB", 4.0).holds) == (True, False, True)
    floors = [Figure("speed", value, "1/s", 4.0, "at least").holds for value in (3.0, 4.0, 5.0)]
    assert floors == [False, True, True]


def test_what_has_no_target_or_no_value_is_not_judged() -> None:
    """A figure that is only told, or could not be measured, neither holds nor fails."""
    assert Figure("size", 3.0, "MB").holds is None
    assert Figure("speed", None, "1/s", 4.0, "at least", "not installed").holds is None


@pytest.mark.parametrize(
    ("figures", "code"), [([LOW], 0), ([LOW, HIGH], 1), ([Figure("speed", None, "1/s", 4.0, note="absent")], 0)]
)
def test_the_exit_code_tells_whether_all_hold(
    monkeypatch: pytest.MonkeyPatch, figures: list[Figure], code: int
) -> None:
    """One figure that falls short makes the command fail; one that could not be measured does not."""
    assert bench(monkeypatch, *figures)()[0] == code
    assert bench(monkeypatch, *figures)("--json")[0] == code


def test_the_table_shows_both_directions_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table writes targets with their sign, and says below why a figure was not measured."""
    floor = Figure("speed", 9.0, "1/s", 4.0, "at least")
    _, output = bench(monkeypatch, LOW, floor, Figure("rival", None, "1/s", 1.5, "at least", "it is not installed"))()
    assert "≤ 4" in output
    assert "≥ 4" in output
    assert "not measured: rival: it is not installed" in output


def test_json_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--json`` gives each figure with its bound and its verdict."""
    told = json.loads(bench(monkeypatch, HIGH)("--json")[1])
    assert told == [
        {"figure": "size", "value": 5.0, "unit": "MB", "target": 4.0, "bound": "at most", "note": "", "holds": False}
    ]


def costs(cpu_us: float, per_s: float, spans: int = 500, server_spans: int = 100) -> list[Cost]:
    """Return three rounds of 100 requests, the second one disturbed."""
    calm, disturbed = Cost(100, per_s, cpu_us, spans, server_spans), Cost(100, per_s / 9, cpu_us * 9, spans, 100)
    return [calm, disturbed, calm]


def test_telemetry_is_compared_by_what_it_adds_on_each_side() -> None:
    """Ours without its telemetry and the bare app are taken off, and a disturbed round does not count."""
    rounds = {SILENT: costs(200, 4000), OURS: costs(350, 2500), BARE: costs(300, 3000), COMMON: costs(1300, 700)}
    figures = {figure.figure: figure for figure in telemetry(rounds)}
    ratio = figures["time that telemetry adds to a /predict, of what the common stack adds"]
    assert (ratio.value, ratio.holds) == (0.15, True)
    assert figures["time that telemetry adds to a /predict"].value == 150
    assert figures["server spans at the sink for each request"].holds


def test_traces_that_were_dropped_are_a_figure_that_fails() -> None:
    """Telemetry that is cheap because it loses traces does not pass."""
    rounds = {
        SILENT: costs(200, 4000),
        OURS: costs(250, 3000, server_spans=99),
        BARE: costs(300, 3000),
        COMMON: costs(1300, 700),
    }
    spans = next(figure for figure in telemetry(rounds) if figure.unit == "spans")
    assert (spans.value, spans.holds) == (0.99, False)


def test_throughput_is_compared_round_by_round_and_a_missing_rival_is_told() -> None:
    """The ratio is the median of the rounds' ratios; without MLServer its figure has a reason and no value."""
    rounds = {OURS: costs(325, 2400), COMMON: costs(1300, 600), COMMON_SKLEARN: costs(1500, 500)}
    common, _, rival, *_ = throughput(rounds, "no wheel for this Python")
    assert (common.value, common.holds) == (4.0, True)
    assert (rival.value, rival.holds, rival.note) == (None, None, "no wheel for this Python")
    assert MLSERVER in rival.figure
