"""``firedrill report``: from what is kept, without a stack; whole files or clear errors, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from faults.drills.shelf import Shelf
from tests.terminal import typed
from tests.unit.faults.sample_evidence import NASTY, evidence_of, outcome, run_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the home of a stack that does not run, with two runs; ``second`` is the newer one."""
    shelf = Shelf(tmp_path / "home" / "data" / "runs")
    os.utime(shelf.put(evidence_of(run_of(run_id="first"))), (1000.0, 1000.0))
    second = run_of("failed", run_id="second", reason="it rang late", outcomes=[outcome(verdict="late", detail=NASTY)])
    os.utime(shelf.put(evidence_of(second, for_s=30.0)), (2000.0, 2000.0))
    return tmp_path / "home"


def command(home: Path, *arguments: str | Path, group: str = "report") -> subprocess.CompletedProcess[str]:
    """Run the command in ``home`` in a terminal of 80 columns."""
    return typed(group, *arguments, environment={"FIREDRILL_HOME": str(home)})


def test_the_latest_run_is_shown_within_80_columns(home: Path) -> None:
    """Every stage by its whole name, with the predicted range, the tick and the cause of what does not hold."""
    done = command(home)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout
    for said in ("run second", "resolution delivered", "20.0 to 24.0 s  ✓", "resolved: no cause found", "FAILED"):
        assert said in done.stdout, done.stdout


def test_every_form_is_written_in_one_go(home: Path, tmp_path: Path) -> None:
    """Files, and folders that are made; each file is named."""
    files = {"--html": "r.html", "--md": "r.md", "--junit": "r.xml", "--csv": "csv", "--png": "png", "--svg": "svg"}
    out = tmp_path / "out"
    out.mkdir()
    arguments = [part for option, name in files.items() for part in (option, out / name)]
    done = command(home, "--last", "2", *arguments)
    assert done.returncode == 0, done.stderr
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    stems = ("small-first", "small-second")
    pairs = [(stem, name) for stem in stems for name in ("alarm", "service")]
    painted = [f"{kind}/{stem}-{name}.{kind}" for kind in ("png", "svg") for stem, name in pairs]
    assert written == sorted(["r.html", "r.md", "r.xml", *(f"csv/{stem}.csv" for stem in stems), *painted])
    assert done.stdout.count("wrote ") == len(written)
    assert "2 runs of drills" in (out / "r.html").read_text(encoding="utf-8")


def test_json_has_the_evidence_and_the_score(home: Path) -> None:
    """Whole evidence of the runs that were named, in the order in which they ran."""
    told = json.loads(command(home, "first", "second", "--json").stdout)
    assert [case["evidence"]["run"]["id"] for case in told["cases"]] == ["first", "second"]
    assert told["score"]["runs"] == 2
    assert told["cases"][0]["evidence"]["alerts"][0]["signals"][0]["lines"][0]["points"]


def test_two_runs_are_compared_in_every_form(home: Path, tmp_path: Path) -> None:
    """On the terminal, as a page, as Markdown."""
    shown = command(home, "compare", "first", "second")
    assert shown.returncode == 0, shown.stderr
    assert "+        for: 30s" in shown.stdout
    done = command(home, "compare", "first", "second", "--html", tmp_path / "c.html", "--md", tmp_path / "c.md")
    assert done.returncode == 0, done.stderr
    assert "for: 30s" in (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "```diff" in (tmp_path / "c.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody",), "no evidence of drill run 'nobody'"),
        (("compare", "first", "nobody"), "no evidence of drill run 'nobody'"),
        (("--html", "{tmp}/no/such/x.html"), "nothing can be written into"),
        (("--html", "{tmp}"), "that is a folder"),
        (("--csv", "{tmp}/file"), "the folder cannot be made"),
        (("--html", "{tmp}/x", "--md", "{tmp}/./x"), "both name"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """Exit status 2, one message, nothing written."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    done = command(home, *(one.format(tmp=tmp_path) for one in arguments))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_without_any_run_the_way_to_one_is_named(tmp_path: Path) -> None:
    """An empty home is no traceback."""
    done = command(tmp_path)
    assert done.returncode == 2
    assert "firedrill drill run" in done.stderr


def test_a_drill_run_looks_at_its_output_paths_before_anything_else(tmp_path: Path) -> None:
    """Nothing burns for a report that could not be written: that comes before a stack is even looked for."""
    done = command(tmp_path, "run", "error-burst", "--junit", tmp_path / "no" / "x.xml", group="drill")
    assert done.returncode == 2
    assert "--junit: nothing can be written into" in done.stderr
    done = command(tmp_path, "run", group="drill")
    assert "name a drill" in done.stderr
