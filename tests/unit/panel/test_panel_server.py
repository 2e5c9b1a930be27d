"""The panel's own process, opened to a network, on a canned stack: uvicorn, Streamlit and the gate as they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from canned_stack import World, speaking
from canned_worlds import lively
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from panel.access.role import HEADER
from stack.endpoints import Endpoints
from stack.home import Home

HOST = "127.0.0.2"
"""An address of this machine that is not the one that needs no login."""
PASSWORD = "correct horse battery"  # noqa: S105 - of this test alone
SOON_S = 60.0
BUTTON = "Put every fault out"


@dataclass(frozen=True)
class Opened:
    """A panel's process, and where it is."""

    home: Home
    offset: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """``host:port`` as others type it."""
        return f"{HOST}:{Endpoints(self.offset).port('panel')}"

    @contextmanager
    def visitor(self, *, wrong: bool = False, code: str = "", token: str = "") -> Iterator[httpx.Client]:
        """Give a browser that has come in by the password, by ``code`` or by the machine's ``token``."""
        path, field = ("/join", {"code": code}) if code else ("/login", {"password": "wrong!!!" if wrong else PASSWORD})
        headers = {"Origin": f"http://{self.address}"} | ({"Authorization": f"Bearer {token}"} if token else {})
        with httpx.Client(base_url=f"http://{self.address}", trust_env=False, timeout=SOON_S) as client:
            client.post(path, data=field, headers=headers)
            yield client

    def page(self, client: httpx.Client, **headers: str) -> ClientConnection:
        """Open the page's websocket as ``client``."""
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        return connect(
            f"ws://{self.address}/_stcore/stream",
            additional_headers={"Origin": f"http://{self.address}", "Cookie": cookies, **headers},
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            open_timeout=SOON_S,
            proxy=None,
        )


@contextmanager
def serving(home: Home, offset: int, **more: str) -> Iterator[Opened]:
    """Run ``python -m panel.serve`` until it is ready, and end it."""
    environment = {
        **os.environ,
        "FIREDRILL_HOME": str(home.root),
        "FIREDRILL_PORT_OFFSET": str(offset),
        "FIREDRILL_PANEL_HOST": HOST,
        **more,
    }
    with (home.root / "log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "panel.serve"], env=environment, stdout=log, stderr=log)
    panel = Opened(home, offset, process)
    try:
        _until_ready(panel)
        yield panel
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _until_ready(panel: Opened) -> None:
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        assert panel.process.poll() is None, (panel.home.root / "log").read_text()
        try:
            health = httpx.get(f"http://{panel.address}/_stcore/health", trust_env=False)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if health.status_code == 200:
            return
    pytest.fail("the panel did not get ready")


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[World, int]]:
    """Serve a canned stack in which a fault burns."""
    shown = lively()
    with speaking(shown) as offset:
        yield shown, offset


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Give the panel a home of its own."""
    return Home(tmp_path_factory.mktemp("panel"))


@pytest.fixture(scope="module")
def panel(world: tuple[World, int], home: Home) -> Iterator[Opened]:
    """Run the panel, opened, with a password that somebody chose."""
    with serving(home, world[1], FIREDRILL_PANEL_PASSWORD=PASSWORD) as opened:
        yield opened


def code_of(home: Home) -> str:
    """Return the audience's code, as the operator's panel shows it."""
    from panel.access.store import AccessStore  # noqa: PLC0415 - a fixture's file, read anew

    return AccessStore(home).read().code


def press(page: ClientConnection) -> None:
    """Say that the button was pressed that puts every fault out, whether it can be pressed or not."""
    page.send(BackMsg(rerun_script={"query_string": ""}).SerializeToString())
    widgets = [{"id": _button(page), "trigger_value": True}]
    until_drawn(page)
    page.send(BackMsg(rerun_script={"query_string": "", "widget_states": {"widgets": widgets}}).SerializeToString())
    until_drawn(page)


def _button(page: ClientConnection) -> str:
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        message = ForwardMsg.FromString(bytes(page.recv(timeout=SOON_S)))  # type: ignore[arg-type]
        button = message.delta.new_element.button
        if button.label == BUTTON:
            return button.id
    pytest.fail("the button was not drawn")


def resets(world: World) -> int:
    """Return how often the conductor was asked to put every fault out."""
    return sum(asked.path == "/faults/reset" for asked in world.asked)


def until_drawn(page: ClientConnection) -> None:
    """Read the page's messages until it is drawn."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        message = ForwardMsg.FromString(bytes(page.recv(timeout=SOON_S)))  # type: ignore[arg-type]
        if message.WhichOneof("type") == "script_finished":
            return
    pytest.fail("the page was not drawn")


def test_nobody_comes_in_without_a_session(panel: Opened) -> None:
    """No cookie, a wrong password, a forged header, a foreign origin: not to a page, not to a websocket."""
    with panel.visitor(wrong=True) as stranger, panel.visitor() as operator:
        assert stranger.get("/").status_code == 401
        led = stranger.get("/faults", headers={"Accept": "text/html"})
        assert (led.status_code, led.headers["location"]) == (303, "/join?next=/faults")
        assert stranger.get("/", headers={"Host": "evil.example"}).status_code == 403
        for client, headers in ((stranger, {HEADER: "operator"}), (operator, {"Origin": "http://evil.example"})):
            with pytest.raises(InvalidStatus) as refused, panel.page(client, **headers):
                pass
            assert refused.value.response.status_code in {401, 403}
        assert operator.get("/").status_code == 200
        assert operator.get("/_stcore/host-config").status_code == 200
        proxied = {"Authorization": f"Bearer {panel.home.token()}", "X-Forwarded-Proto": "https"}
        assert "secure" in stranger.post("/login", headers=proxied).headers["set-cookie"].lower()


def test_a_forged_press_of_a_readers_button_does_nothing(panel: Opened, world: tuple[World, int]) -> None:
    """The page is drawn and the conductor asked nothing; the operator's same message puts the fault out."""
    with panel.visitor(code=code_of(panel.home)) as reader, panel.page(reader, **{HEADER: "operator"}) as page:
        press(page)
        assert resets(world[0]) == 0
    with panel.visitor(token=panel.home.token()) as operator, panel.page(operator) as page:
        press(page)
        assert resets(world[0]) == 1


def test_sessions_outlive_a_restart_and_nothing_secret_is_written_down(
    world: tuple[World, int], home: Home, panel: Opened
) -> None:
    """A panel that was killed knows who is in; log, record and command line hold no secret."""
    with panel.visitor(wrong=True), panel.visitor() as operator:
        panel.process.kill()
        panel.process.wait(30)
        with serving(home, world[1]) as again:
            assert operator.get("/").status_code == 200
            with again.page(operator) as page:
                page.send(BackMsg(rerun_script={"query_string": ""}).SerializeToString())
                assert ForwardMsg.FromString(bytes(page.recv(timeout=SOON_S)))  # type: ignore[arg-type]
            arguments = Path(f"/proc/{again.process.pid}/cmdline").read_bytes().decode()
        secrets = (PASSWORD, code_of(home), *operator.cookies.values(), home.token())
    log = (home.root / "log").read_text()
    assert "a wrong password from 127.0.0" in log
    assert "GET" not in log
    written = log + (home.run / "panel-sessions.json").read_text() + arguments
    assert not [each for each in secrets if each in written]
    assert PASSWORD not in (home.run / "panel-access.json").read_text()


def test_an_address_that_is_not_ours_is_a_clear_end(world: tuple[World, int], home: Home) -> None:
    """It says which setting is wrong, without a traceback, and ends with status 2."""
    environment = {**os.environ, "FIREDRILL_HOME": str(home.root), "FIREDRILL_PANEL_HOST": "192.0.2.7"}
    done = subprocess.run(
        [sys.executable, "-m", "panel.serve"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: FIREDRILL_PANEL_HOST=192.0.2.7: cannot listen on port")
    assert "Traceback" not in done.stderr
