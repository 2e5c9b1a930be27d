"""The combined log: written in bounded size, read back by component, followed."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from stack.home import Home
from stack.logbook import KEPT_FILES, Logbook, LogLine, logs


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an empty home."""
    return Home(tmp_path)


def test_lines_come_back_as_they_went_in(home: Home) -> None:
    """A line keeps its time, its component and its text, also with bars, spaces and other scripts in it."""
    book = Logbook(home.log_file)
    written = [LogLine.now("service", "a | b   c"), LogLine.now("prometheus", "ünïcödé ✓"), LogLine.now("traffic", "")]
    for line in written:
        book.write(line)
    assert list(logs(home)) == written
    assert list(logs(home, "prometheus")) == written[1:2]
    assert list(logs(home, lines=1)) == written[2:]
    assert list(logs(home, lines=0)) == []


def test_a_traceback_without_a_prefix_counts_as_the_supervisors(home: Home) -> None:
    """What a crashing supervisor prints by itself is not lost."""
    home.log_file.parent.mkdir()
    home.log_file.write_text("Traceback (most recent call last):\n  File x\n")
    assert [line.text for line in logs(home, "supervisor")] == ["Traceback (most recent call last):", "  File x"]


def test_a_home_without_a_log_has_no_lines(home: Home) -> None:
    """Nothing was written, nothing is read, nothing fails."""
    assert list(logs(home)) == []


def test_the_log_stays_bounded_and_reads_on_over_rotations(home: Home) -> None:
    """However much is written, the files stay within their bound, and the last lines are found across them."""
    book = Logbook(home.log_file, max_bytes=2000)
    for number in range(500):
        book.write(LogLine.now("service" if number % 2 else "traffic", f"line {number}"))
    files = sorted(home.log_file.parent.iterdir())
    assert len(files) == 1 + KEPT_FILES
    assert all(file.stat().st_size <= 2000 for file in files)
    assert [line.text for line in logs(home, lines=60)] == [f"line {n}" for n in range(440, 500)]
    assert [line.text for line in logs(home, "service", lines=20)] == [f"line {n}" for n in range(461, 500, 2)]


def test_following_sees_new_lines_through_a_rotation(home: Home) -> None:
    """``follow`` first gives the last lines, then each new one exactly once, also through rotations."""
    book = Logbook(home.log_file, max_bytes=400)
    book.write(LogLine.now("service", "old"))
    reader = logs(home, lines=1, follow=True)
    assert next(reader).text == "old"
    for number in range(4):
        book.write(LogLine.now("service", f"new {number}"))
    assert [line.text for line in islice(reader, 4)] == [f"new {n}" for n in range(4)]
    for number in range(4, 12):
        book.write(LogLine.now("service", f"new {number}"))
        assert next(reader).text == f"new {number}"


def test_following_a_log_that_does_not_exist_yet(home: Home) -> None:
    """``follow`` may be asked for before the first start."""
    reader = logs(home, follow=True)
    book = Logbook(home.log_file)
    book.write(LogLine.now("service", "first"))
    assert next(reader).text == "first"


def test_a_line_that_is_still_being_written_is_left_for_later(home: Home) -> None:
    """Half a line is not shown as a line."""
    book = Logbook(home.log_file)
    book.write(LogLine.now("service", "whole"))
    with home.log_file.open("a") as stream:
        stream.write(str(LogLine.now("service", "ha")))
    assert [line.text for line in logs(home)] == ["whole"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_costs_lines_not_the_writer(tmp_path: Path) -> None:
    """Writing to a full disk does not raise; what was lost is counted in the first line that goes through again."""
    place = tmp_path / "log"
    book = Logbook(place)
    with Path("/dev/full").open("wb", buffering=0) as full:
        good, book._stream = book._stream, full
        book.write(LogLine.now("service", "lost"))
        book.write(LogLine.now("service", "lost too"))
    book._stream = good
    book.write(LogLine.now("service", "kept"))
    said = place.read_text().splitlines()
    assert "2 log lines were lost" in said[0]
    assert said[1].endswith("kept")
