"""The walk through docs/own-app.md: its very commands, in order, with an app that Firedrill does not start itself."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from faults.drills.wire import DrillStart
from stack.clients.prometheus import PrometheusClient
from stack.endpoints import HOST
from tests.levels import ALL_LIVE, on_request, thorough
from tests.live.conftest import ROOT, LiveStack, until
from tests.ports import free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(240), pytest.mark.xdist_group("own-app")]

PAGE = ROOT / "docs" / "own-app.md"
WALK = "## Try it with the bookshop"


def blocks() -> list[list[str]]:
    """Return the commands of each shell block of the walk."""
    section = PAGE.read_text(encoding="utf-8").partition(WALK)[2].partition("\n## ")[0]
    return [block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)]


class Bookshop:
    """The documented app, started by the documented command at a port of its own."""

    def __init__(self, command: str, home: Path, log: Path) -> None:
        self.port, self.control, self.log = free_port(), free_port(), log
        words = shlex.split(command)
        settings = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        arguments = [sys.executable, *words[len(settings) + 1 :]]
        assert words[len(settings)] == ".venv/bin/python"
        assert settings == {"FIREDRILL_FAULTS": "on"}
        own = {"FIREDRILL_HOME": str(home), "FIREDRILL_CONTROL_PORT": str(self.control), "PYTHONPATH": str(ROOT)}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [word.replace("8010", str(self.port)) for word in arguments],
                env={**os.environ, **settings, **own},
                stdout=out,
                stderr=out,
                cwd=ROOT,
            )

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    def answers(self) -> bool:
        """Return whether it serves; fail where it has ended."""
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"{self.url}/books", trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def end(self) -> None:
        """Stop it as Ctrl-C would."""
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def bookshop(fresh: LiveStack, tmp_path: Path) -> Iterator[Bookshop]:
    """Give the app, running, with the token of a stack that is not up yet."""
    (command,) = blocks()[0]
    shop = Bookshop(command, fresh.home.root, tmp_path / "shop.log")
    try:
        until(shop.answers, "the bookshop")
        yield shop
    finally:
        shop.end()


def at_home(line: str, stack: LiveStack, shop: Bookshop) -> list[str]:
    """Return a documented command's arguments, at the ports of this test and with files of the checkout."""
    words = shlex.split(line)
    assert words[0] == "./firedrill"
    places = [str(ROOT / word) if word.startswith("examples/") else word for word in words[1:]]
    if places[0] == "up":
        places += ["--port-offset", str(stack.offset), "--app-control", f"http://{HOST}:{shop.control}"]
    return [place.replace(":8010", f":{shop.port}") for place in places]


@thorough
def test_the_documented_commands_drill_an_app_of_ones_own(fresh: LiveStack, bookshop: Bookshop) -> None:
    """Its own alert goes through every stage to the webhook and back; none of Firedrill's own rules is there."""
    commands = [at_home(line, fresh, bookshop) for line in blocks()[1]]
    said: dict[str, str] = {}
    for command in commands:
        if command[0] == "down":
            _look(fresh)
        done = fresh.cli(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}\n{bookshop.log.read_text()[-3000:]}"
        said[" ".join(command[:2])] = done.stdout
    assert "warning" not in said["up --detach"]
    assert "PASSED" in said["drill run"]
    assert "ShopErrors" in said["drill run"]
    assert "is active" in said["fault on"]
    assert "everything is out" in said["fault reset"]
    assert fresh.status()["state"] == "down"
    assert bookshop.answers(), "the app is the user's, and goes on"


def _look(stack: LiveStack) -> None:
    """Look at what the drill has left: stages that all have their time, and a Prometheus without foreign series."""
    (run,) = stack.conductor().runs()
    (outcome,) = run.outcomes
    stages = outcome.stages.model_dump(exclude={"grouped"})
    assert outcome.verdict == "as expected"
    assert None not in stages.values(), stages
    assert stages["pending"] <= stages["firing"] <= stages["delivered"] < stages["resolved"]
    prometheus = PrometheusClient(stack.endpoints.url("prometheus"))
    assert {rule.name for rule in prometheus.rules()} == {"ShopErrors", "ShopSlow", "ShopDown"}
    assert {one.labels["job"] for one in prometheus.query("up")} == {"app", "firedrill"}
    assert prometheus.query('sum(shop_requests_total{job="app", code="5xx"}) > 3')
    assert prometheus.query('firedrill_fault_injections_total{kind="error"} > 3')
    assert prometheus.query('sum(shop_orders_total{job="app"}) > 0'), "the second documented request came too"


@on_request
def test_an_app_that_dies_in_mid_drill_is_never_a_pass(fresh: LiveStack, bookshop: Bookshop) -> None:
    """The drill fails, and says that it could reach neither the app's alert nor its switch."""
    up = at_home(next(line for line in blocks()[1] if " up " in line), fresh, bookshop)
    assert fresh.cli(*up).returncode == 0
    status = fresh.cli("status")
    assert f"around your own app at {bookshop.url}" in status.stdout
    client = fresh.conductor()
    text = (ROOT / "examples" / "bookshop" / "drill.yaml").read_text().replace("6m", "2m")
    run = client.start_drill(DrillStart(text=text), actor="test")
    until(lambda: client.run(run.id).fault_ids, "the fault", timeout_s=90)
    bookshop.process.kill()
    done = until(lambda: (now := client.run(run.id)).verdict and now, "the verdict", timeout_s=120)
    assert done.verdict in {"failed", "error"}
    assert "ShopErrors" in done.reason
    assert "FIREDRILL_FAULTS=on" in done.reason
    assert not client.reset(actor="test").proven


@thorough
def test_an_app_that_is_not_attached_starts_nothing(fresh: LiveStack, bookshop: Bookshop) -> None:
    """No endpoint, a foreign token, wrong metrics, or nobody at all: one message, exit status 2, nothing runs."""
    there = ("--app", bookshop.url, "--app-control", f"http://{HOST}:{bookshop.control}")
    cases = {
        ("--app", bookshop.url, "--app-control", f"http://{HOST}:{free_port()}"): "FIREDRILL_FAULTS=on",
        ("--app", bookshop.url, "--app-control", bookshop.url): "no fault control endpoint",
        (*there, "--app-metrics", "/prometheus"): "--app-metrics",
        (*there, "--app-metrics", "/books"): "does not answer with metrics",
        ("--app", f"http://{HOST}:{free_port()}"): "start your app first",
        (*there, "--runtime", "docker"): "--runtime native",
    }
    stranger = LiveStack(type(fresh.home)(fresh.home.root.parent / "another"), fresh.offset)
    tried = (
        cases if ALL_LIVE else dict(list(cases.items())[:2])
    )  # each by itself: tests/unit/stack/test_own_app_start.py
    for arguments, says in tried.items():
        _refused(fresh, arguments, says)
    _refused(stranger, there, "refuses the token")
    assert fresh.status()["state"] == "down"
    assert bookshop.answers()


def _refused(stack: LiveStack, arguments: tuple[str, ...], says: str) -> None:
    done = stack.cli("up", "--detach", "--port-offset", str(stack.offset), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
