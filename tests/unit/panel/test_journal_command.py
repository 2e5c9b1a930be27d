"""``firedrill journal``: from the conductor or from the file, filtered, and never a traceback."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from faults.drills.errors import JournalUnusable
from faults.drills.journal import Journal, read_entries
from panel.commands.console import CommandError
from panel.commands.journal import _time
from tests.terminal import typed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give the home of a stack that does not run, with a journal of three lines; times are 100, 200, 300."""
    times = iter([100.0, 200.0, 300.0])
    journal = Journal(tmp_path / "data" / "journal.sqlite", now=times.__next__)
    journal.write("panel", "fault_lit", "error-1", {"kind": "error", "ttl_s": 60.0})
    journal.write("cli:zoë", "fault_put_out", "error-1")
    journal.write("panel", "faults_reset", "all", {"ended": [], "proven": True})
    journal.close()
    return tmp_path


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in ``home``."""
    return typed("journal", *arguments, environment={"FIREDRILL_HOME": str(home)}, columns=160)


def test_lines_are_chosen_by_time_actor_and_number(home: Path) -> None:
    """The file alone answers: newest first, not before a time, of one actor, so many at most."""
    path = home / "data" / "journal.sqlite"
    assert [line.at for line in read_entries(path)] == [300.0, 200.0, 100.0]
    assert [line.at for line in read_entries(path, since=200.0)] == [300.0, 200.0]
    assert [line.at for line in read_entries(path, actor="panel")] == [300.0, 100.0]
    assert [line.at for line in read_entries(path, 1, actor="cli:zoë")] == [200.0]
    assert read_entries(path, actor="nobody") == []


def test_the_command_needs_no_running_stack(home: Path) -> None:
    """Without a conductor the lines come from the file, as a table and as JSON, and the reader is told so."""
    done = command(home, "--actor", "panel")
    assert done.returncode == 0, done.stderr
    assert "fault lit" in done.stdout
    assert "zoë" not in done.stdout
    assert "no conductor answers" in done.stderr
    lines = json.loads(command(home, "--json", "--limit", "2").stdout)
    assert [line["action"] for line in lines] == ["faults_reset", "fault_put_out"]


def test_what_cannot_be_read_is_a_clear_error(tmp_path: Path) -> None:
    """No journal yet, no database, and a time that is none: exit status 2 and a sentence."""
    done = command(tmp_path)
    assert (done.returncode, "there is no journal yet" in done.stderr) == (2, True)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "journal.sqlite"
    path.write_bytes(b"no database" * 100)
    done = command(tmp_path)
    assert done.returncode == 2
    assert "cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    with pytest.raises(JournalUnusable):
        read_entries(tmp_path / "none.sqlite")


def test_since_is_a_duration_or_a_time() -> None:
    """Ten minutes ago, a time with and without a zone; anything else is refused."""
    assert _time(None, 1000.0) == 0.0
    assert _time("10m", 1000.0) == 400.0
    assert _time("1970-01-01T00:10:00+00:00", 0.0) == 600.0
    assert _time("2026-11-21", 0.0) > 1.7e9
    with pytest.raises(CommandError, match="neither a duration"):
        _time("yesterday", 0.0)
