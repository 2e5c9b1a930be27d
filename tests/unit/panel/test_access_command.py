"""``firedrill access`` and what ``firedrill up`` says of an opened panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from panel.access.errors import BadOpening
from panel.access.opening import NAMES, Opening
from panel.access.store import PASSWORD, AccessStore
from panel.cli import application
from panel.commands import access
from stack.home import Home

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs ``firedrill access`` in a fresh home."""
    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path))
    monkeypatch.delenv(NAMES, raising=False)
    return lambda *arguments: CliRunner().invoke(application(), ["access", *arguments])


def test_a_closed_panel_says_how_to_open_it(run: Run) -> None:
    """Nothing is made for a panel that nobody opened."""
    done = run()
    assert done.exit_code == 0
    assert "firedrill up --panel-host 0.0.0.0" in done.output
    assert "code" not in done.output


def test_up_makes_what_is_missing_and_access_shows_it_without_the_password(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The password is said once; addresses and code as often as somebody asks; new ones replace the old ones."""
    home = Home(tmp_path)
    store, opening = AccessStore(home), Opening("192.0.2.7")
    access.tell(home, opening, "")
    first = capsys.readouterr().out
    password = next(line.split()[1] for line in first.splitlines() if line.startswith("password"))
    record = store.read()
    assert record.password is not None
    assert record.password.fits(password)
    shown = run().output
    assert password not in shown
    assert "http://192.0.2.7:8501/login" in shown
    assert "http://192.0.2.7:8501/join" in shown
    assert record.code in shown
    renewed = run("--new-password", "--new-code")
    made = next(line.split()[1] for line in renewed.output.splitlines() if line.startswith("password"))
    later = store.read()
    assert later.password is not None
    assert later.password.fits(made)
    assert later.code not in {"", record.code}
    assert "nobody" in run("--no-audience").output
    access.tell(home, opening, "chosen by somebody")
    assert "chosen by somebody" not in capsys.readouterr().out
    assert store.read().code == ""  # who decided against an audience gets none at the next start
    assert run("--no-audience", "--new-code").exit_code != 0


def test_up_refuses_an_address_that_this_machine_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started; a name alone asks everyone to log in and opens nothing."""
    monkeypatch.setenv(NAMES, "drill.example")
    with pytest.raises(BadOpening, match="this machine has no such address"):
        access.opening_of("192.0.2.7")
    assert access.opening_of("").opened
    assert not access.opening_of("").listens_to_network
    monkeypatch.setenv(PASSWORD, "from outside")
    assert [access.chosen_password(), access.chosen_password()] == ["from outside", ""]
