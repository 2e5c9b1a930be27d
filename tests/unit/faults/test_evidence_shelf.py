"""Evidence is kept whole, for so many runs, and what is damaged says so."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from faults.drills.shelf import NoEvidence, Shelf
from tests.unit.faults.sample_evidence import NASTY, evidence_of, run_of


def test_what_is_put_comes_back_equal(tmp_path: Path) -> None:
    """Every value and every text, whatever characters are in it; no other file is left."""
    shelf = Shelf(tmp_path / "runs")
    evidence = evidence_of(words=NASTY)
    path = shelf.put(evidence)
    assert shelf.get("abc123") == evidence
    assert [one.name for one in path.parent.iterdir()] == ["evidence.json"]


def test_only_the_newest_runs_are_kept(tmp_path: Path) -> None:
    """The oldest go, with their folders; the newest come first."""
    shelf = Shelf(tmp_path / "runs", kept=3)
    for index in range(5):
        path = shelf.put(evidence_of(run_of(run_id=f"r{index}")))
        os.utime(path, (1000.0 + index, 1000.0 + index))
    shelf.put(evidence_of(run_of(run_id="r5")))
    assert shelf.newest(10) == ["r5", "r4", "r3"]
    assert sorted(one.name for one in (tmp_path / "runs").iterdir()) == ["r3", "r4", "r5"]


@pytest.mark.parametrize("run_id", ["nobody", "../secret", "", "a/b", "x" * 100, "é", "abc123\x00"])
def test_an_unknown_run_has_no_evidence(tmp_path: Path, run_id: str) -> None:
    """And no id leads out of the folder."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "evidence.json").write_text(evidence_of().model_dump_json(), encoding="utf-8")
    shelf = Shelf(tmp_path / "runs")
    shelf.put(evidence_of())
    with pytest.raises(NoEvidence, match="no evidence of drill run"):
        shelf.get(run_id)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"run": 1}', b"\xff\xfe"])
def test_a_damaged_file_says_so(tmp_path: Path, body: bytes) -> None:
    """Where a file was cut off or is another's, that is the message."""
    shelf = Shelf(tmp_path)
    shelf.put(evidence_of()).write_bytes(body)
    with pytest.raises(NoEvidence, match="damaged or of another version"):
        shelf.get("abc123")


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """While it is written again and again, every read is of a whole file."""
    shelf = Shelf(tmp_path)
    shelf.put(evidence_of())
    done = threading.Event()

    def write() -> None:
        for _ in range(60):
            shelf.put(evidence_of())
        done.set()

    writing = threading.Thread(target=write)
    writing.start()
    reads = 0
    while not done.is_set():
        assert shelf.get("abc123").run.id == "abc123"
        reads += 1
    writing.join()
    assert reads > 0
