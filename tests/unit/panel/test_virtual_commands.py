"""``firedrill drill run --virtual`` and ``firedrill agree``, as a person calls them, without a stack."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from faults.base import catalogue
from faults.drills.errors import UnknownDrill
from faults.drills.evidence import Evidence
from faults.drills.shelf import NoEvidence, Shelf
from faults.drills.spec import LIBRARY
from panel.cli import application
from panel.commands.console import CommandError
from tests.unit.faults.live_runs import live_runs

pytestmark = pytest.mark.xdist_group("rehearsal")


@pytest.fixture
def home(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a home with trained models in which nothing runs."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "artifacts").symlink_to(trained)
    monkeypatch.setenv("FIREDRILL_HOME", str(folder))
    return folder


def refused(*arguments: str) -> BaseException:
    """Return why a command was refused."""
    error = CliRunner().invoke(application(), [*arguments]).exception
    assert error is not None
    return error


def keep(home: Path, name: str) -> str:
    """Put a live run of drill ``name`` where runs are kept, and return its id."""
    run = live_runs()[name]
    ended_at = run.ended_at or 0.0
    text = (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
    times = {"gathered_at": ended_at, "start": run.queued_at, "end": ended_at, "step_s": 0.5}
    Shelf(home / "data" / "runs").put(Evidence(run=run, drill_text=text, **times))
    return run.id


def test_a_drill_runs_without_a_stack(home: Path, tmp_path: Path) -> None:
    """A drill of the library and one of the user's own run one after another, and the report is that of live ones."""
    own = tmp_path / "own.yaml"
    own.write_text((LIBRARY / "empty-metrics.yaml").read_text().replace("name: empty-metrics", "name: own"))
    report = tmp_path / "report.xml"
    names = ("broken-metrics", str(own))
    done = CliRunner().invoke(application(), ["drill", "run", *names, "--virtual", "--junit", str(report)])
    assert done.exit_code == 0, done.output
    assert "2 PASSED" in done.output
    suites = ET.fromstring(report.read_text())  # noqa: S314 - our own
    assert [one.get("name") for one in suites.iter("testsuite")] == ["broken-metrics", "own"]
    assert {one.get("value") for one in suites.iter("property") if one.get("name") == "clock"} == {"virtual"}
    assert not (home / "data").exists()


def test_what_burns_live_only_is_skipped_with_the_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind that no virtual world can have skips its drill; where nothing else ran, the exit status says so."""
    _ = home
    monkeypatch.setattr(catalogue()["slow_scrape"], "clock", "live-only")
    done = CliRunner().invoke(application(), ["drill", "run", "late-metrics", "--virtual"])
    assert done.exit_code == 2
    assert "slow_scrape cannot burn on a virtual clock" in " ".join(done.output.split())


def test_what_makes_no_sense_is_refused(home: Path) -> None:
    """Unknown drills, paces and kinds, and options of virtual drills on live ones, are clear errors."""
    _ = home
    assert isinstance(refused("drill", "run", "no-such-drill", "--virtual"), UnknownDrill)
    for words, arguments in {
        "--pace 'slow' is unknown": ("broken-metrics", "--virtual", "--pace", "slow"),
        "belong to `--virtual`": ("broken-metrics", "--seeds", "3"),
        "no such kind of fault": ("--virtual", "--kind", "no_such_kind"),
    }.items():
        error = refused("drill", "run", *arguments)
        assert isinstance(error, CommandError)
        assert words in str(error)


def test_a_kept_run_is_held_against_virtual_ones(home: Path) -> None:
    """`agree` finds the kept run, says for each stage live, virtual, width and whether they agree."""
    run_id = keep(home, "model-missing")
    done = CliRunner().invoke(application(), ["agree", "--seeds", "3", "--jobs", "1", "--json"])
    assert done.exit_code == 0, done.output
    (drill,) = json.loads(done.stdout)["drills"]
    assert (drill["run_id"], drill["seeds"], drill["tries"], drill["agrees"]) == (run_id, 3, 18, True)
    stages = drill["alerts"][0]["stages"]
    assert all(one["width_s"] == pytest.approx(one["most_s"] - one["least_s"]) for one in stages)


def test_a_run_that_disagrees_fails(home: Path) -> None:
    """A live alert that took half a minute longer than any virtual one is an exit status of 1, and stands out."""
    live = live_runs()["model-missing"]
    moved = live.model_copy(deep=True, update={"id": "moved"})
    moved.outcomes[0].stages.resolved = (moved.rollback_at or 0.0) + 30.0
    text = (LIBRARY / "model-missing.yaml").read_text(encoding="utf-8")
    times = {"gathered_at": 1.0, "start": 0.0, "end": 1.0, "step_s": 0.5}
    Shelf(home / "data" / "runs").put(Evidence(run=moved, drill_text=text, **times))
    done = CliRunner().invoke(application(), ["agree", "--run", "moved", "--seeds", "1", "--jobs", "1"])
    assert done.exit_code == 1, done.output
    assert "DISAGREE" in done.output
    assert "outside" in done.output


def test_a_stage_that_another_drill_excuses_is_no_agreement(home: Path) -> None:
    """Outside of the range, with another drill in the alert's window: neither AGREE nor DISAGREE, and exit status 2."""
    live = live_runs()["error-burst"]
    moved = live.model_copy(deep=True, update={"id": "moved"})
    moved.outcomes[0].stages.resolved = (moved.rollback_at or 0.0) + 60.0
    before = live_runs()["no-traffic"].model_copy(update={"id": "before", "ended_at": (live.fault_at or 0.0) - 5.0})
    times = {"gathered_at": 1.0, "start": 0.0, "end": 1.0, "step_s": 0.5}
    for run in (moved, before):
        text = (LIBRARY / f"{run.name}.yaml").read_text(encoding="utf-8")
        Shelf(home / "data" / "runs").put(Evidence(run=run, drill_text=text, **times))
    done = CliRunner().invoke(application(), ["agree", "--run", "moved", "--seeds", "1", "--jobs", "1"])
    assert done.exit_code == 2, done.output
    assert "UNDECIDED" in done.output
    assert "AGREE" not in done.output


def test_nothing_to_compare_is_said(home: Path) -> None:
    """Without a run, or with the id of none, the error says what to do."""
    _ = home
    error = refused("agree")
    assert isinstance(error, CommandError)
    assert "agree error-burst" in str(error)
    assert isinstance(refused("agree", "--run", "nosuchrun"), NoEvidence)
