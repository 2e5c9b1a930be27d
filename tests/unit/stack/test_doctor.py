"""The doctor: every check gives a finding, and what is wrong is found."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest

from stack.doctor import Finding, doctor
from stack.endpoints import HOST, Endpoints
from stack.home import Home
from stack.state import ProcessIdentity, StackState, UnitState
from tests.ports import free_endpoints


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Return an empty home on free ports, with an empty cache and no browser to ask."""
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.setenv("FIREDRILL_PORT_OFFSET", str(free_endpoints().offset))
    monkeypatch.setenv("PATH", str(tmp_path))
    return Home(tmp_path / "home")


def finding(home: Home, name: str) -> Finding:
    """Return the finding of that name."""
    return next(found for found in doctor(home) if found.name == name)


def test_every_finding_is_complete(home: Home) -> None:
    """Each finding has a text, and each that is not ok a remedy."""
    findings = doctor(home)
    assert len({found.name for found in findings}) == len(findings) >= 10
    assert all(found.text for found in findings)
    assert all(found.remedy for found in findings if found.level != "ok")


def test_missing_programs_warn_online_and_fail_offline(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can still be fetched is a warning; offline it stands in the way."""
    assert finding(home, "prometheus").level == "warn"
    monkeypatch.setenv("FIREDRILL_OFFLINE", "1")
    assert finding(home, "prometheus").level == "fail"


def test_a_busy_port_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A taken port is named with its component and an offset that is free."""
    offset = free_endpoints().offset
    monkeypatch.setenv("FIREDRILL_PORT_OFFSET", str(offset))
    assert finding(home, "ports").level == "ok"
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, Endpoints(offset).port("traffic")))
        holder.listen()
        found = finding(home, "ports")
    assert found.level == "warn"
    assert f"{8710 + offset} (traffic)" in found.text
    assert "--port-offset" in found.remedy


def test_leftovers_of_a_killed_supervisor_are_named(home: Home) -> None:
    """A process that the state file names and that runs without a supervisor is a warning."""
    assert finding(home, "state").level == "ok"
    home.run.mkdir(parents=True)
    myself = ProcessIdentity(pid=psutil.Process().pid, created_at=psutil.Process().create_time())
    StackState(
        supervisor=myself.model_copy(update={"created_at": 1.0}),
        phase="up",
        started_at=1.0,
        offset=0,
        pace="workshop",
        traffic=True,
        table="stack.components:COMPONENTS",
        units=[UnitState(name="service", phase="ready", identity=myself)],
    ).save(home.state_file)
    found = finding(home, "state")
    assert (found.level, found.remedy) == ("warn", "run `firedrill down`")
    assert "service" in found.text


def test_a_damaged_state_file_is_named(home: Home) -> None:
    """A state file that is none is a warning with the file's name, not a traceback."""
    home.run.mkdir(parents=True)
    home.state_file.write_text("{half of a")
    found = finding(home, "state")
    assert found.level == "warn"
    assert str(home.state_file) in found.remedy
