"""The second run of ``firedrill test``: what failed in company is tried alone, and named if it then passes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import typer

from panel.commands import suite
from panel.commands.console import CommandError
from tests.levels import thorough

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
TOGETHER = """\
import os
import pytest

@pytest.fixture
def fresh():
    return None

@pytest.mark.parametrize("number", range(5))
def test_of_a_module(number):
    tell("module")

@pytest.mark.parametrize("number", range(5))
def test_apart(fresh, number):
    tell(f"apart-{number}")

@pytest.mark.xdist_group("named")
@pytest.mark.parametrize("number", range(5))
def test_named(number):
    tell("named")

def tell(group):
    with open("told", "a") as file:
        print(group, os.environ["PYTEST_XDIST_WORKER"], file=file)
"""
SPREAD = """\
from tests.spread import (  # noqa: F401
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure_node,
    pytest_xdist_make_scheduler,
)
"""
IN_COMPANY = suite.IN_COMPANY
ROOT = suite.ROOT
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
    monkeypatch.setattr(suite, "IN_COMPANY", ())
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # the plugins of these tests are none of the inner ones'
    return tmp_path


@pytest.fixture
def in_company(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tests of the checkout run on as many workers as the real ones, spread in the same way."""
    monkeypatch.setattr(suite, "IN_COMPANY", IN_COMPANY)
    monkeypatch.setenv("PYTEST_PLUGINS", "xdist.plugin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (checkout / "conftest.py").write_text(SPREAD)


def run(arguments: list[str], *, fast: bool = True, thorough: bool = False, all_live: bool = False) -> int:
    """Run the command without installing anything and return its exit status."""
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)), info_name="test")
    context.args = arguments
    try:
        suite.run_everything(context, fast=fast, thorough=thorough, all_live=all_live)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def test_what_fails_once_is_named(checkout: Path, in_company: None, capfd: pytest.CaptureFixture[str]) -> None:
    """The run passes, and says which test did not at first."""
    (checkout / "tests" / "test_one.py").write_text(UNSTEADY)
    assert run([]) == 0
    said = capfd.readouterr()
    assert "unsteady, failed first and passed alone: tests/test_one.py::test_unsteady" in said.err
    assert "all checks and tests passed" in said.out


@thorough
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


def test_groups_stay_together(checkout: Path, in_company: None) -> None:
    """Tests of a module or a mark share a worker, and those with a stack of their own are groups of one."""
    (checkout / "tests" / "test_one.py").write_text(TOGETHER)
    assert run([]) == 0
    told = [line.split() for line in (checkout / "told").read_text().splitlines()]
    assert len(told) == 15
    workers: dict[str, set[str]] = {}
    for group, worker in told:
        workers.setdefault(group, set()).add(worker)
    assert {"module", "named"} | {f"apart-{number}" for number in range(5)} == set(workers)
    assert all(len(seen) == 1 for seen in workers.values()), workers
    assert len(set.union(*workers.values())) > 1, "groups are spread over workers"


@pytest.mark.parametrize(("option", "variable"), [("thorough", suite.THOROUGH), ("all_live", suite.ALL_LIVE)])
def test_how_much_is_asked_for_reaches_the_tests(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, option: str, variable: str
) -> None:
    """The option sets the variable that the tests read; together with --fast it is refused."""
    (checkout / "tests" / "test_one.py").write_text(
        f"import os\n\ndef test_told():\n    assert os.environ[{variable!r}] == 'true'\n"
    )
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("CI", raising=False)  # which asks for an engine of containers as well
    monkeypatch.setattr(suite, "_install_parts", lambda: None)
    assert run([], fast=False) == 1
    assert run([], fast=False, **{option: True}) == 0
    with pytest.raises(CommandError, match=f"--{option.replace('_', '-')}"):
        run([], fast=True, **{option: True})


def test_modules_are_compiled_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that keeps Python from storing what it compiled does not keep the tests' processes from it."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    (checkout / "tests" / "test_one.py").write_text(
        "import sys\n\ndef test_stored():\n    assert not sys.dont_write_bytecode\n"
    )
    assert run([]) == 0
