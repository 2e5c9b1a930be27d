"""The journal: what is written stays, also after a kill, and a damaged file is moved aside and said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from faults.drills import journal as journal_module
from faults.drills.errors import JournalUnusable
from faults.drills.journal import Journal
from faults.drills.wire import DrillRun, Notification
from stack.configuration import OWN_LABEL, OWN_VALUE

ROOT = Path(__file__).parents[3]


def run_named(run_id: str, *, phase: str = "fault", queued_at: float = 1.0) -> DrillRun:
    """Return a run."""
    named = {"id": run_id, "name": "small", "title": "Small", "pace": "workshop"}
    return DrillRun.model_validate({**named, "phase": phase, "queued_at": queued_at})


def notification(alert: str = "A", *, starts_at: float = 10.0, status: str = "firing") -> Notification:
    """Return a notification without an id."""
    return Notification.model_validate(
        {
            "id": 0,
            "at": 11.0,
            "status": status,
            "alert": alert,
            "labels": {"alertname": alert},
            "annotations": {},
            "starts_at": starts_at,
            "ends_at": None,
            "group_key": "{}",
            "receiver": "firedrill",
        }
    )


def test_lines_come_back_newest_first_and_survive_a_new_start(tmp_path: Path) -> None:
    """Who did what to what, with facts, in the order of time."""
    journal = Journal(tmp_path / "deep" / "journal.sqlite", now=iter([1.0, 2.0, 3.0]).__next__)
    journal.write("cli", "fault_lit", "f1", {"kind": "error", "ttl_s": 3.5})
    journal.write("panel", "fault_put_out", "f1")
    journal.close()
    again = Journal(tmp_path / "deep" / "journal.sqlite")
    first, second = again.entries()
    assert (first.actor, first.action, first.subject, first.at) == ("panel", "fault_put_out", "f1", 2.0)
    assert second.facts == {"kind": "error", "ttl_s": 3.5}
    assert [one.id for one in again.entries(limit=1)] == [first.id]
    assert again.moved_aside is None


def test_runs_are_stored_as_they_change(tmp_path: Path) -> None:
    """A run is one row, found by id, listed newest first, unfinished until done."""
    journal = Journal(tmp_path / "journal.sqlite")
    run = run_named("r1")
    journal.save_run(run)
    journal.save_run(run_named("r2", queued_at=2.0, phase="done"))
    assert [one.id for one in journal.unfinished()] == ["r1"]
    run.phase, run.verdict = "done", "passed"
    journal.save_run(run)
    assert journal.run("r1") == run
    assert [one.id for one in journal.runs()] == ["r2", "r1"]
    assert journal.unfinished() == []
    assert journal.run("r9") is None


def test_intents_stay_open_until_they_are_settled(tmp_path: Path) -> None:
    """What is about to be changed is on record before the change, newest first, with the fault's id once known."""
    journal = Journal(tmp_path / "journal.sqlite")
    fault, traffic = journal.intend("r1", "fault", "{}"), journal.intend("r1", "traffic", "{}")
    journal.lit(fault, "f1")
    assert [(one.what, one.fault_id) for one in journal.open_intents()] == [("traffic", None), ("fault", "f1")]
    journal.settle(traffic)
    journal.settle(traffic)
    assert [one.id for one in journal.open_intents()] == [fault.id]


def test_deliveries_are_those_of_one_alert_since_a_time(tmp_path: Path) -> None:
    """Only what fired at or after the given time counts, oldest first."""
    journal = Journal(tmp_path / "journal.sqlite")
    for alert, starts_at in (("A", 5.0), ("A", 10.0), ("B", 10.0), ("A", 12.0)):
        journal.notify(notification(alert, starts_at=starts_at))
    assert [one.starts_at for one in journal.deliveries("A", 10.0)] == [10.0, 12.0]
    assert [one.alert for one in journal.notifications(limit=2)] == ["A", "B"]
    assert journal.notify(notification()).id == 5


def test_alerts_of_the_users_own_rules_are_no_deliveries_of_ours(tmp_path: Path) -> None:
    """A rule that somebody brought may have the name of one of ours; it is kept as a notification, not as a proof."""
    journal = Journal(tmp_path / "journal.sqlite")
    own = {"alertname": "A", OWN_LABEL: OWN_VALUE}
    journal.notify(notification("A").model_copy(update={"labels": own}))
    journal.notify(notification("A"))
    assert [one.labels for one in journal.deliveries("A", 0.0)] == [{"alertname": "A"}]
    assert [one.labels for one in journal.notifications()] == [{"alertname": "A"}, own]


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old lines and notifications go; unfinished runs and open intents stay."""
    monkeypatch.setattr(journal_module, "KEEP_ENTRIES", 100)
    monkeypatch.setattr(journal_module, "KEEP_RUNS", 5)
    journal = Journal(tmp_path / "journal.sqlite")
    intent = journal.intend("r0", "fault", "{}")
    journal.save_run(run_named("r0", queued_at=0.0))
    for index in range(1, 11):
        journal.save_run(run_named(f"r{index}", queued_at=float(index), phase="done"))
    for _ in range(journal_module._PRUNE_EVERY):
        journal.write("a", "b", "c")
    assert len(journal.entries(limit=10_000)) == 100
    assert {one.id for one in journal.runs()} == {"r0", "r6", "r7", "r8", "r9", "r10"}
    assert journal.open_intents() == [intent]


@pytest.mark.parametrize("damage", ["overwritten", "torn"])
def test_a_damaged_file_is_moved_aside_and_said(tmp_path: Path, damage: str) -> None:
    """The next start begins a new journal whose first line names where the old one is; nothing is deleted."""
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    for index in range(2000):
        journal.write("cli", "fault_lit", f"f{index}", {"padding": "x" * 50})
    journal.close()
    whole = path.read_bytes()
    damaged = b"not a database at all" * 100 if damage == "overwritten" else whole[: len(whole) // 2]
    path.write_bytes(damaged)
    again = Journal(path)
    assert again.moved_aside is not None
    assert again.moved_aside.read_bytes() == damaged
    (line,) = again.entries()
    assert (line.action, line.facts["moved_to"]) == ("journal_damaged", str(again.moved_aside))
    again.write("cli", "fault_lit", "f1")
    again.close()
    assert Journal(path).moved_aside is None


def test_a_file_that_cannot_be_opened_is_left_where_it_is(tmp_path: Path) -> None:
    """A folder in its place is no damage to repair: the start fails and says what to look at."""
    (tmp_path / "journal.sqlite").mkdir()
    with pytest.raises(JournalUnusable, match="cannot be used"):
        Journal(tmp_path / "journal.sqlite")


WRITER = """
import sys
from pathlib import Path
from faults.drills.journal import Journal
journal = Journal(Path(sys.argv[1]))
count = 0
while True:
    count += 1
    journal.write("writer", "counted", str(count))
    journal.intend("r1", "fault", str(count))
    print(count, flush=True)
"""


def test_what_was_written_is_there_after_kill_9(tmp_path: Path) -> None:
    """A process killed in the middle of writing has lost nothing that it had been told was written."""
    path = tmp_path / "journal.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert writer.stdout is not None
    said = 0
    while said < 50:
        said = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    said = max([said, *(int(line) for line in writer.stdout.read().split() if line.isdigit())])
    writer.wait()
    journal = Journal(path)
    assert journal.moved_aside is None
    counted = {int(line.subject) for line in journal.entries(limit=100_000)}
    assert set(range(1, said + 1)) <= counted
    assert {int(intent.body) for intent in journal.open_intents()} >= set(range(1, said + 1))
