"""The benchmark of searches, on a small store: it finds what it should find, and says how long that took."""

from __future__ import annotations

import pytest

from panel.bench.stack import search
from panel.bench.stack.search import Case, cases, figures, measure_search
from panel.commands.console import CommandError

SPANS = 3000


def test_every_case_is_timed_against_a_real_store() -> None:
    """Median and worst lie between nothing and a minute, the note names every case."""
    said: list[str] = []
    median, worst, size = measure_search(said.append, SPANS, turns=1)
    assert said == ["storing 3,000 spans", "searching them"]
    assert median.value is not None
    assert worst.value is not None
    assert 0 < median.value <= worst.value < 60_000
    assert all(case.name in median.note for case in cases(SPANS))
    assert size.value is not None
    assert size.value > 50


def test_a_search_that_finds_nothing_fails_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers fast and wrongly has no figure."""
    monkeypatch.setattr(search, "cases", lambda _: [Case("nobody", {"no.such.key": "1"})])
    with pytest.raises(CommandError, match=r"nobody answered 404: .*No traces found"):
        measure_search(lambda _: None, 600, turns=1)


def test_the_figures_are_those_of_the_times() -> None:
    """The median over all, and the one worst with its case."""
    median, worst, _ = figures({"a": [1.0, 2.0], "b": [3.0, 400.0, 5.0]}, 1_000_000, 250.0)
    assert (median.value, worst.value, worst.note) == (3.0, 400.0, "worst case: b")
    assert (median.target, worst.target) == (200.0, 1000.0)
