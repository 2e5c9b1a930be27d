"""The synthetic history of a drill: put into a real Prometheus, found by queries, taken away to the last sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from faults.drills.errors import HistoryFailed
from faults.drills.history import Historian, Supplied, free_spans, labels_of, lay_trigger
from faults.drills.parts import History
from stack.blocks import selector
from stack.clients.prometheus import PrometheusClient
from stack.commands import ADMIN, RETENTION
from stack.pace import WORKSHOP
from tests.realprom import Running, running_prometheus

RULES = {
    "groups": [
        {
            "name": "small",
            "interval": "200ms",
            "rules": [
                {"record": "job:up:avg", "expr": "vector(1)", "labels": {"job": "firedrill"}},
                {"record": "job:up:avg", "expr": "vector(1)", "labels": {"job": "firedrill", "more": "yes"}},
            ],
        }
    ]
}
PAST = """\
covers: 3d
series:
  - {series: 'job:up:avg{job="firedrill"}', value: 0.5}
  - {series: 'job_slo:errors:increase5m{job="firedrill", slo="a \\"b\\""}', value: 90, since: 6h, until: 1h}
  - {series: 'old_total{job="firedrill"}', per_second: 2}
"""


@dataclass(frozen=True)
class Lab:
    """A Prometheus that has recorded for a moment, and who gives it a past."""

    running: Running
    client: PrometheusClient
    historian: Historian

    def count(self, series: str, window: str = "6h") -> float:
        """Return how many samples ``series`` has."""
        return sum(sample.value for sample in self.client.query(f"count_over_time({series}[{window}])"))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Run a Prometheus with the flags of the stack."""
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump(RULES), encoding="utf-8")
    (tmp_path / "data").mkdir()
    lay_trigger(tmp_path / "data", tmp_path / "trigger", now=time.time())  # there at the start, so that it is read then
    with running_prometheus(
        tmp_path, rules=[rules], flags=[ADMIN, f"--storage.tsdb.retention.time={RETENTION}"]
    ) as running:
        client = PrometheusClient(running.url)
        lab = Lab(running, client, Historian(client, WORKSHOP, tmp_path / "staging"))
        running.wait_for(lambda: lab.count("job:up:avg") >= 6, "recordings")
        yield lab


def eventually(lab: Lab, check: Callable[[], bool], what: str) -> None:
    """Wait for a Prometheus that may look for blocks only once a minute."""
    lab.running.wait_for(check, what, timeout_s=100.0)


def supply(lab: Lab, name: str) -> Supplied:
    """Put the past into the storage and return when it is there."""
    supplied = lab.historian.prepare(History.model_validate(yaml.safe_load(PAST)), name)
    lab.historian.place(supplied, name)
    eventually(lab, lambda: lab.historian.loaded(supplied), "the history")
    return supplied


def test_a_history_is_found_by_queries_and_taken_away_to_the_last_sample(lab: Lab) -> None:
    """Values at the pace of the stack, nothing beside a real sample, and nothing left; and then the same again."""
    for name in ("first", "second"):
        real = lab.count('job:up:avg{job="firedrill", more=""}')
        supplied = supply(lab, name)
        assert lab.count('job:up:avg{job="firedrill", more=""}') >= real + 17_200
        assert lab.count('job:up:avg{more="yes"}') < 1000
        (errors,) = lab.client.query("avg_over_time(job_slo:errors:increase5m[6h])")
        assert errors.value == pytest.approx(6.0)
        assert lab.count("job_slo:errors:increase5m") == pytest.approx(5 * 3600 / 15, abs=3)
        (rate,) = lab.client.query("rate(old_total[20m])", supplied.spans[-1].end)
        assert rate.value == pytest.approx(2.0, rel=0.01)
        end = next(span.end for span in supplied.spans if span.labels["__name__"] == "job:up:avg")
        (series,) = lab.client.raw('job:up:avg{job="firedrill",more=""}[1h]', time.time())
        assert all((value == 0.5) == (at <= end + 0.001) for at, value in series.points)
        assert lab.historian.take_away(supplied) is None
        assert lab.historian.take_away(supplied) is None
        assert 0 < lab.count('job:up:avg{job="firedrill", more=""}') < 1000
        assert lab.count('job:up:avg{more="yes"}') > 0
        assert lab.client.query("count_over_time({__name__=~'job_slo.*|old_total'}[6h])") == ()


def test_a_history_that_was_never_read_is_taken_away_as_well(lab: Lab, tmp_path: Path) -> None:
    """The conductor was killed between putting a block into the folder and Prometheus's next look."""
    supplied = lab.historian.prepare(History.model_validate(yaml.safe_load(PAST)), "cut-off")
    data = tmp_path / "data"
    for block in supplied.blocks:
        (tmp_path / "staging" / "cut-off" / "blocks" / block).rename(data / block)
    assert Historian(lab.client, WORKSHOP, tmp_path / "other").take_away(supplied) is None
    assert not any((data / block).exists() for block in supplied.blocks)
    assert lab.client.query("count_over_time(old_total[6h])") == ()


def test_without_the_admin_api_or_the_folder_there_is_no_history(tmp_path: Path) -> None:
    """The reason is said, and nothing is put anywhere."""
    with running_prometheus(tmp_path) as running:
        historian = Historian(PrometheusClient(running.url), WORKSHOP, tmp_path / "staging")
        with pytest.raises(HistoryFailed, match=f"runs without {ADMIN}"):
            historian.prepare(History.model_validate(yaml.safe_load(PAST)), "x")
    assert not (tmp_path / "staging").exists()


def test_only_gaps_are_filled() -> None:
    """One interval away from real samples, and no gap that is shorter than five."""
    assert free_spans(0.0, 10.0, [], 1.0) == ((0.0, 10.0),)
    assert free_spans(0.0, 10.0, [6.0, 7.0, 10.0], 1.0) == ((0.0, 5.0),)
    assert free_spans(0.0, 20.0, [0.0, 1.0, 14.0], 1.0) == ((2.0, 13.0), (15.0, 20.0))
    assert free_spans(0.0, 5.0, [0.0, 2.0, 4.0], 1.0) == ()


def test_a_series_is_read_as_a_drill_file_writes_it() -> None:
    """Commas, braces and quotes in values are values; the selector of the labels is the same text in order."""
    text = r'a:b{slo="x, \"y\"}", job="f"}'
    labels = labels_of(text)
    assert labels == {"__name__": "a:b", "slo": 'x, "y"}', "job": "f"}
    assert labels_of(selector(labels)) == labels
    assert labels_of("plain") == {"__name__": "plain"}
