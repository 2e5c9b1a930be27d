"""``check --from``: a real Prometheus with an hour of samples, its metrics as inventory, its past through the rules."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faults.drills.check.errors import NoPrometheus, NothingRecorded
from faults.drills.check.recorded import check_recorded
from faults.drills.check.result import AlertResult, Verdict
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.judge.engine import Engine
from faults.drills.judge.remote_write import samples_of
from panel.cli import main
from tests.ports import free_port

HOUR_S = 3600.0
RULES = """\
groups:
  - name: a
    rules:
      - alert: Burst
        expr: rate(errors_total[2m]) > 0.5
        for: 1m
        labels: {severity: page}
      - alert: Higher
        expr: level > 50
      - alert: NotYours
        expr: nobodys_series > 1
      - alert: NotLoaded
        expr: job:errors:rate > 1
      - alert: Yesterday
        expr: sum_over_time(level[1d]) > 1e9
      - alert: Collides
        expr: label_replace(level, "part", "", "", "") > 1
      - record: job:errors:rate
        expr: sum(rate(errors_total[2m]))
"""


@pytest.fixture(scope="module")
def recorded() -> Iterator[tuple[Engine, float]]:
    """Serve an hour: `errors_total` rises by 1/s for ten minutes in its middle; `level` is 10 and 20, in two parts."""
    engine = Engine(lookback_s=300.0, query_timeout_s=10.0)
    try:
        end = time.time()
        times = np.arange(round((end - HOUR_S) * 1000), round(end * 1000), 15_000, dtype=np.int64)
        elapsed_s = (times - times[0]) / 1000
        engine.questions.write(
            samples_of(
                [
                    ((("__name__", "errors_total"), ("job", "yours")), times, np.clip(elapsed_s - 1500.0, 0.0, 600.0)),
                    ((("__name__", "level"), ("part", "a")), times, np.full(len(times), 10.0)),
                    ((("__name__", "level"), ("part", "b")), times, np.full(len(times), 20.0)),
                ]
            ).requests(0)
        )
        yield engine, end
    finally:
        engine.close()


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the rules of somebody."""
    path = tmp_path_factory.mktemp("rules") / "rules.yml"
    path.write_text(RULES)
    return path


@pytest.fixture(scope="module")
def alerts(recorded: tuple[Engine, float], rules: Path) -> dict[str, AlertResult]:
    """Return what was found of each alert."""
    done: list[tuple[int, int]] = []
    engine, _ = recorded
    found = check_recorded(
        load_rule_files([str(rules)]), engine.url, since_s=HOUR_S, on_progress=lambda *how_far: done.append(how_far)
    )
    assert done[-1] == (6, 6)
    assert found.engine.startswith("Prometheus ")
    return {alert.place.rule: alert for alert in found.alerts}


def test_an_alert_would_have_fired_when_the_samples_say(
    alerts: dict[str, AlertResult], recorded: tuple[Engine, float]
) -> None:
    """The burst begins after 25 minutes; half of the window has to be full of it, and a minute has to pass."""
    (episode,) = alerts["Burst"].episodes
    began = recorded[1] - HOUR_S + 1500.0
    assert alerts["Burst"].verdict is Verdict.FIRES
    assert 60.0 <= episode.active_at - began <= 90.0
    assert episode.fired_at - episode.active_at == pytest.approx(60.0)
    assert episode.ended_at is not None
    assert 600.0 <= episode.ended_at - began <= 720.0
    assert episode.labels == {"job": "yours", "severity": "page"}


def test_every_other_verdict_is_about_that_prometheus(alerts: dict[str, AlertResult]) -> None:
    """Not fired with the nearest value, series that it does not have, and a window longer than it has recorded."""
    assert alerts["Higher"].verdict is Verdict.DID_NOT_FIRE
    assert "`level` came to 20 at best, which is not > 50" in alerts["Higher"].reason
    assert alerts["NotYours"].verdict is Verdict.NOT_COVERED
    assert alerts["NotLoaded"].verdict is Verdict.NOT_COVERED
    assert "a recording rule of these files would make" in alerts["NotLoaded"].reason
    assert alerts["Yesterday"].verdict is Verdict.INSUFFICIENT_HISTORY
    assert {alert.quiet for alert in alerts.values()} == {None}
    assert "same labelset" in alerts["Collides"].error


def test_what_is_declared_complete_proves_that_an_alert_cannot_fire(
    recorded: tuple[Engine, float], rules: Path
) -> None:
    """Where there is nothing else, a series that is not there never will be."""
    found = check_recorded(load_rule_files([str(rules)]), recorded[0].url, since_s=HOUR_S, complete=True)
    verdicts = {alert.place.rule: alert for alert in found.alerts}
    assert verdicts["NotYours"].verdict is Verdict.CANNOT_FIRE
    assert verdicts["Higher"].verdict is Verdict.DID_NOT_FIRE


def test_the_command_tells_when(
    recorded: tuple[Engine, float], rules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each time; what Prometheus cannot evaluate fails the check."""
    monkeypatch.setattr(sys, "argv", ["firedrill", "check", str(rules), "--from", recorded[0].url, "--since", "1h"])
    with pytest.raises(SystemExit) as left:
        main()
    told = capsys.readouterr().out
    assert left.value.code == 1
    assert "Burst would have fired" in told
    assert re.search(r'20\d\d-\S+ \S+ until \S+ \S+  job="yours"', told)
    assert "FAILED by --fail-on: error" in told


def test_nobody_there_and_nothing_recorded_are_said(recorded: tuple[Engine, float], rules: Path) -> None:
    """Neither is a check that passes."""
    files = load_rule_files([str(rules)])
    with pytest.raises(NoPrometheus, match="no Prometheus answers at"):
        check_recorded(files, f"http://127.0.0.1:{free_port()}", since_s=HOUR_S)
    empty = Engine(lookback_s=300.0, query_timeout_s=10.0)
    try:
        with pytest.raises(NothingRecorded, match="no series in the last 1h"):
            check_recorded(files, empty.url, since_s=HOUR_S)
    finally:
        empty.close()
