"""A Chromium without a screen, and the few words of its DevTools protocol that taking pictures needs.

It is a process of its own with a profile that is thrown away, and it ends with whoever started it. Its protocol is
documented at https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, ValidationError
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from panel.pictures.errors import BrowserFailed
from stack.browser import LAUNCH_FLAGS

START_S, ANSWER_S, END_S, LOOK_S = 30.0, 30.0, 5.0, 0.05
_FLAGS = (
    "--headless=new",
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)

Answer = Mapping[str, JsonValue]


class _Message(BaseModel):
    """One message of the browser: an answer where it has an ``id``, else an event."""

    id: int | None = None
    result: dict[str, JsonValue] = Field(default_factory=dict)
    error: dict[str, JsonValue] | None = None


class Chromium:
    """A connection to a running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)

    def call(self, method: str, session: str = "", /, **parameters: JsonValue) -> Answer:
        """Have a method carried out and return its result. Raises ``BrowserFailed``."""
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        deadline = time.monotonic() + ANSWER_S
        try:
            self._connection.send(json.dumps(asked))
            while True:
                text = self._connection.recv(timeout=max(0.0, deadline - time.monotonic()))
                message = _Message.model_validate_json(text)
                if message.id == number:
                    break
        except TimeoutError as problem:
            raise BrowserFailed(f"no answer to {method} within {ANSWER_S:.0f} s") from problem
        except (WebSocketException, OSError, ValidationError) as problem:
            raise BrowserFailed(f"{method}: {problem}") from problem
        if message.error is not None:
            raise BrowserFailed(f"{method}: {message.error.get('message')}")
        return message.result


class Tab:
    """One page of the browser; it is closed at the end."""

    def __init__(self, browser: Chromium, session: str) -> None:
        self._browser, self._session = browser, session

    @classmethod
    @contextlib.contextmanager
    def opened(cls, browser: Chromium) -> Iterator[Tab]:
        """Open a page, and close it at the end."""
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        try:
            yield cls(browser, str(attached["sessionId"]))
        finally:
            with contextlib.suppress(BrowserFailed):
                browser.call("Target.closeTarget", targetId=target)

    def call(self, method: str, /, **parameters: JsonValue) -> Answer:
        """Have a method carried out for this page."""
        return self._browser.call(method, self._session, **parameters)

    def value_of(self, script: str) -> JsonValue:
        """Return the value of a JavaScript expression; ``None`` where it fails, as it may while a page loads."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        result = answer.get("result")
        return result.get("value") if isinstance(result, dict) and "exceptionDetails" not in answer else None

    def wait_for(self, script: str, timeout_s: float) -> bool:
        """Wait until a JavaScript expression is true; return whether it became so in time."""
        deadline = time.monotonic() + timeout_s
        while not self.value_of(script):
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_S)
        return True


@contextlib.contextmanager
def started(program: Path) -> Iterator[Chromium]:
    """Start ``program`` and connect to it; it is ended at the end, whatever happens. Raises ``BrowserFailed``."""
    with tempfile.TemporaryDirectory(prefix="firedrill-pictures-", ignore_cleanup_errors=True) as profile:
        command = [str(program), *LAUNCH_FLAGS, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as problem:
            raise BrowserFailed(str(problem)) from problem
        try:
            address = _address(process, Path(profile) / "DevToolsActivePort")
            try:
                connection = connect(address, max_size=None, proxy=None, open_timeout=START_S)
            except (WebSocketException, OSError) as problem:
                raise BrowserFailed(f"no connection to it: {problem}") from problem
            with connection:
                yield Chromium(connection)
        finally:
            _end(process)


def _address(process: subprocess.Popen[bytes], file: Path) -> str:
    """Return where the browser is to be talked to, once it has written that down."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BrowserFailed(f"it ended with status {process.returncode} at its start")
        with contextlib.suppress(OSError):
            port, _, path = file.read_text(encoding="ascii").strip().partition("\n")
            if path:
                return f"ws://127.0.0.1:{port}{path}"
        time.sleep(LOOK_S)
    raise BrowserFailed(f"it did not start within {START_S:.0f} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the browser with all of its processes: they are a group of their own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            return
