"""A whole stack, started by the real command line in a home of its own, for the tests that need one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults.client import ConductorClient
from panel.refresh import SETTING
from stack.endpoints import PORTS, Endpoints, of_replicas
from stack.errors import StackError
from stack.home import Home
from stack.provision import find_program
from stack.status import read_status
from tests.ports import free_endpoints, is_free
from tests.spread import group_of

ROOT = Path(__file__).resolve().parents[2]
SHARED = pytest.mark.xdist_group("stack")
"""Modules whose tests leave a stack as they found it, and so can share one."""


def until(check: Callable[[], Any], what: str, timeout_s: float = 30.0, every_s: float = 0.1) -> Any:
    """Return the first true answer of ``check``; fail with ``what`` after ``timeout_s`` seconds."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout_s:.0f} s in vain for: {what}")
        time.sleep(every_s)


def free_offset() -> int:
    """Return a port offset at which every port of a stack of up to three replicas is free."""
    return free_endpoints(*PORTS, *of_replicas("control", 3), *of_replicas("replica", 3)).offset


@dataclass(frozen=True)
class LiveStack:
    """A stack that the test may use as a person would: through the command line."""

    home: Home
    offset: int

    @property
    def endpoints(self) -> Endpoints:
        """Where its parts listen."""
        return Endpoints(self.offset)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which its commands run; its panel draws anew every 2 s, for browsers draw slowly here."""
        own = {"FIREDRILL_HOME": str(self.home.root), "PYTHONPATH": str(ROOT), "COLUMNS": "160", SETTING: "2"}
        return {**os.environ, **own}

    def cli(self, *arguments: str, timeout_s: float = 150.0) -> subprocess.CompletedProcess[str]:
        """Run ``firedrill`` with ``arguments`` and return what came of it."""
        return subprocess.run(
            [sys.executable, "-m", "panel.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd="/",
        )

    def start(self, *arguments: str) -> None:
        """Bring the stack up, or fail with its log."""
        done = self.cli("up", "--detach", "--port-offset", str(self.offset), *arguments)
        if done.returncode != 0:
            log = self.home.log_file.read_text() if self.home.log_file.is_file() else "(no log)"
            pytest.fail(f"up failed\n{done.stdout}\n{done.stderr}\n{log[-6000:]}")

    def status(self) -> dict[str, Any]:
        """Return what ``status --json`` says."""
        done = self.cli("status", "--json")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def component(self, name: str) -> dict[str, Any]:
        """Return what ``status --json`` says of one component."""
        found: dict[str, Any] = next(each for each in self.status()["components"] if each["name"] == name)
        return found

    def conductor(self) -> ConductorClient:
        """Return a client of its conductor."""
        return ConductorClient(self.endpoints.url("conductor"), self.home.token())

    def end(self) -> None:
        """Bring down what a test has left of it, where it has left anything."""
        if read_status(self.home).state != "down":
            self.cli("down")

    def free_ports(self) -> bool:
        """Return whether none of its ports is held."""
        return all(is_free(port + self.offset) for port in PORTS.values())


@pytest.fixture(scope="session")
def programs() -> None:
    """Find real Prometheus and Alertmanager; without them live tests are skipped, but fail with CI=true."""
    try:
        for name in ("prometheus", "promtool", "alertmanager"):
            find_program(name)
    except StackError as problem:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(str(problem))


def home_with(artifacts: Path, root: Path) -> Home:
    """Return a home whose models are trained already, as they are from the second start on."""
    home = Home(root)
    shutil.copytree(artifacts, home.artifacts)
    return home


@pytest.fixture
def fresh(tmp_path: Path, programs: None, trained: Path) -> Iterator[LiveStack]:
    """Give a stack that is not up yet; whatever a test leaves of it is brought down."""
    stack = LiveStack(home_with(trained, tmp_path / "home"), free_offset())
    yield stack
    stack.end()


@dataclass
class Shared:
    """The stack that the tests of a group share, started by the first of them that asks for it."""

    started: LiveStack | None = None

    def end(self) -> None:
        """Bring it down, where there is one; the next group starts its own."""
        if self.started is not None:
            self.started.end()
            self.started = None


_SHARED = pytest.StashKey[Shared]()


def shared_of(config: pytest.Config) -> Shared:
    """Return what this process's tests share; it ends with them at the latest."""
    if _SHARED not in config.stash:
        config.stash[_SHARED] = Shared()
        config.add_cleanup(config.stash[_SHARED].end)
    return config.stash[_SHARED]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Bring a shared stack down after the last test of its group."""
    yield
    if nextitem is None or group_of(nextitem) != group_of(item):
        shared_of(item.config).end()


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, programs: None, trained: Path
) -> LiveStack:
    """Give a running stack, shared by the tests of a group: a module, or modules with the same mark ``xdist_group``."""
    shared = shared_of(request.config)
    if shared.started is None:
        shared.started = LiveStack(home_with(trained, tmp_path_factory.mktemp("stack") / "home"), free_offset())
        shared.started.start()
    return shared.started
