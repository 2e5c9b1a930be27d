"""``matrix`` and ``curve`` as commands: what they write, what they refuse, and that Ctrl-C leaves nothing of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from faults.drills.check.curve import Curves
from faults.drills.check.matrix import Matrix
from faults.errors import FaultError
from panel.cli import application
from panel.commands.console import CommandError
from tests.levels import thorough
from tests.unit.faults.small_sweeps import written_rules

ROOT = Path(__file__).resolve().parents[3]
HEARING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from panel.cli import main
main()
"""
"""The command line, in a process that hears Ctrl-C even where a shell has started the tests in the background."""


def test_ctrl_c_leaves_no_process_of_a_real_command(trained: Path, tmp_path: Path) -> None:
    """Workers and Prometheus are gone when the command is, whose exit status says that it was interrupted."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "artifacts").symlink_to(trained)
    environment = {**os.environ, "FIREDRILL_HOME": str(home), "PYTHONPATH": str(ROOT)}
    arguments = ["matrix", str(written_rules(tmp_path)), "--for", "6h", "--jobs", "2", "--no-cache"]
    log = tmp_path / "said.txt"
    with log.open("wb") as output:
        process = psutil.Popen(
            [sys.executable, "-c", HEARING, *arguments], stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        deadline = time.monotonic() + 60.0
        children: list[psutil.Process] = []
        while len(children) < 3:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
            time.sleep(0.02)
            children = process.children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130, log.read_text(encoding="utf-8")
    _, alive = psutil.wait_procs(children, timeout=15)
    assert not alive
    assert "Traceback" not in log.read_text(encoding="utf-8")


@thorough
def test_the_commands_write_what_they_are_asked_for(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``matrix`` and ``curve`` with one fault: exit status 1 for a false alarm, all files, JSON alone on the output."""
    (tmp_path / "artifacts").symlink_to(trained)
    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path))
    shared = [str(written_rules(tmp_path)), "--for", "6m", "--jobs", "1", "--no-cache", "--json"]
    run = CliRunner()
    page, picture = tmp_path / "m.html", tmp_path / "m.png"
    done = run.invoke(
        application(), ["matrix", *shared, "--faults", "traffic_stop", "--html", str(page), "--png", str(picture)]
    )
    assert done.exit_code == 1, done.output
    matrix = Matrix.model_validate_json(done.output)
    assert matrix.scenarios == ["steady state", "traffic_stop"]
    assert matrix.uncovered == ["traffic_stop"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert picture.read_bytes().startswith(b"\x89PNG")
    table = tmp_path / "c.csv"
    wanted = ["--alert", "Slow", "--fault", "latency (inference)", "--from", "10", "--to", "6000"]
    asked = ["--points", "2", "--resolution", "1", "--seeds", "1", "--csv", str(table)]
    done = run.invoke(application(), ["curve", *shared, *wanted, *asked])
    assert done.exit_code == 0, done.output
    (curve,) = Curves.model_validate_json(done.output).curves
    assert curve.silent_to == 10
    assert curve.fires_from == 6000
    assert len(table.read_text(encoding="utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("matrix", "--faults", "eror"), "no fault named 'eror'; did you mean error"),
        (("matrix", "--faults", " , "), "--faults: name faults, divided by commas"),
        (("matrix", "--for", "7h"), "--for 7h: expected 5m to 6h"),
        (("matrix", "--scheduler", "tcp://127.0.0.1:1"), "give --backend dask too"),
        (("matrix", "--backend", "dask", "--faults", "error"), "no scheduler is named"),
        (("matrix", "--png", "nowhere/at/all.png"), "--png: nothing can be written into"),
        (("curve", "--fault", "error", "--alert", "Erors"), "no alert named 'Erors'; did you mean Errors"),
        (("curve", "--fault", "error", "--parameter", "mode"), "it has no parameter 'mode' that is a number"),
        (("curve", "--fault", "error", "--from", "0.9", "--to", "0.1"), "the first has to be above 0"),
        (("curve", "--fault", "error", "--to", "2"), "a probability is 1 at most"),
        (("curve", "--fault", "crash"), "nothing makes it stronger or weaker"),
        (("curve", "--fault", "latency", "--to", "1e9"), "delay_ms 1e+09: input should be less than"),
    ],
)
def test_what_cannot_be_asked_for_is_said_to_be_so(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One clear sentence, before anything is tried."""
    command, *options = arguments
    done = CliRunner().invoke(application(), [command, str(written_rules(tmp_path)), *options])
    assert isinstance(done.exception, (FaultError, CommandError)), done.output
    assert said in str(done.exception)
