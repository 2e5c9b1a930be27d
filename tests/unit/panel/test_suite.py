"""The second run of ``firedrill test``: what failed in company is tried alone, and named if it then passes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer

from panel.commands import suite

UNSTEADY = """\
from pathlib import Path

def test_steady():
    pass

def test_unsteady():
    mark = Path(__file__).with_name("mark")
    seen = mark.exists()
    mark.touch()
    assert seen
"""
BROKEN = """\
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_broken(number):
    assert False
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a checkout with tests of its own, to which the command is pointed; linters are left out."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    live: x\n    browser: x\n")
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite, "CHECKS", {})
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    return tmp_path


def run(arguments: list[str]) -> int:
    """Run the command without installing anything and return its exit status."""
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)), info_name="test")
    context.args = arguments
    try:
        suite.run_everything(context, fast=True)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def test_what_fails_once_is_named(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The run passes, and says which test did not at first."""
    (checkout / "tests" / "test_one.py").write_text(UNSTEADY)
    assert run([]) == 0
    said = capfd.readouterr()
    assert "unsteady, failed first and passed alone: tests/test_one.py::test_unsteady" in said.err
    assert "all checks and tests passed" in said.out


@pytest.mark.parametrize("count", [1, suite.RETRIED + 1])
def test_what_fails_again_fails(checkout: Path, capfd: pytest.CaptureFixture[str], count: int) -> None:
    """One broken test is run twice, many are not; either way the run fails, also beside an unsteady one."""
    (checkout / "tests" / "test_one.py").write_text(UNSTEADY)
    (checkout / "tests" / "test_two.py").write_text(BROKEN.format(count=count))
    assert run([]) == 1
    said = capfd.readouterr()
    assert ("the failed ones alone" in said.out) == (count == 1)
    assert "failed: pytest" in said.err


def test_a_file_that_cannot_be_read_fails(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An error before any test runs is no unsteadiness."""
    (checkout / "tests" / "test_one.py").write_text("import nothing_of_that_name\n")
    assert run([]) == 1
    assert "failed: pytest" in capfd.readouterr().err


def test_a_selection_runs_once(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With arguments of one's own pytest runs as asked."""
    (checkout / "tests" / "test_one.py").write_text(UNSTEADY)
    assert run(["tests/test_one.py::test_unsteady"]) == 1
    assert "the failed ones alone" not in capfd.readouterr().out
