"""Practice rules: added to a real Prometheus while it runs and taken away again, only where it looks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from panel.workshop.leading import PRACTICE_RULES
from stack.clients.prometheus import PrometheusClient
from stack.configuration import practice_files, render
from stack.endpoints import Endpoints
from stack.errors import SourceUnreachable
from stack.home import Home
from stack.pace import WORKSHOP
from stack.practice import NoPractice, Practice
from tests.ports import free_port
from tests.realprom import running_prometheus

NAMES = {"PracticeErrorsBySelector", "PracticeErrorsByRatio", "PracticeErrorsByPatience"}


def test_practice_rules_come_and_go_while_prometheus_runs(tmp_path: Path) -> None:
    """Loaded at workshop pace next to nothing else of this home, and gone again without a trace."""
    home = Home(tmp_path / "home")
    render(home, Endpoints(), WORKSHOP)
    with running_prometheus(tmp_path, rules=[practice_files(home)]) as engine, PrometheusClient(engine.url) as client:
        practice = Practice(home, engine.url, WORKSHOP)
        assert practice.possible
        assert not practice.loaded
        assert not practice.take_away()
        practice.load(PRACTICE_RULES)
        assert practice.loaded
        rules = {rule.name: rule for rule in client.rules()}
        assert set(rules) == NAMES
        assert rules["PracticeErrorsByPatience"].for_s == pytest.approx(1200.0)
        assert practice.take_away()
        assert not client.rules()
    render(home, Endpoints(), WORKSHOP)  # the next start finds nothing of them either
    assert not practice.loaded


def test_without_a_prometheus_of_this_home_there_is_no_practice(tmp_path: Path) -> None:
    """The reason is said, and nothing is written."""
    practice = Practice(Home(tmp_path), f"http://127.0.0.1:{free_port()}", WORKSHOP)
    with pytest.raises(NoPractice, match="native runtime"):
        practice.load(PRACTICE_RULES)
    assert not list(tmp_path.rglob("*.yml"))


def test_a_prometheus_that_is_gone_is_said(tmp_path: Path) -> None:
    """The rules lie there for its next start, and whoever loaded them knows that it did not read them."""
    home = Home(tmp_path)
    render(home, Endpoints(), WORKSHOP)
    practice = Practice(home, f"http://127.0.0.1:{free_port()}", WORKSHOP)
    with pytest.raises(SourceUnreachable):
        practice.load(PRACTICE_RULES)
    assert practice.loaded
