"""A viewer without a browser: speaks Streamlit's protocol, asks for each live part of a page when a browser would.

Chromium's own processor time would drown the panel's on a small machine; to the panel, this is a browser. It remembers
large messages as a browser does, draws nothing, and touches no widget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from panel.commands.console import CommandError

_PATH = "/_stcore/stream"
OPENS_WITHIN_S = 60.0


@dataclass
class Viewer:
    """One browser's tab on a page of the panel at ``url``. Counts from the moment that ``measured_from`` is set to."""

    url: str
    page: str = ""
    measured_from: float = float("inf")
    runs: int = 0
    """How often the panel drew one or more live parts."""
    received_bytes: int = 0
    waits_s: list[float] = field(default_factory=list)
    """How long each of the counted refreshes took, from the first live part's question to the last one's answer."""
    problems: list[str] = field(default_factory=list)
    opened: asyncio.Event = field(default_factory=asyncio.Event)
    _page_hash: str = ""
    _cached: set[str] = field(default_factory=set)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _began: float = 0.0
    _ended: float = 0.0

    async def watch(self) -> None:
        """Open the page and look at it until cancelled. Raise ``CommandError`` where the panel hangs up."""
        address = f"ws{self.url.removeprefix('http')}{_PATH}"
        async with connect(
            address, origin=Origin(self.url), subprotocols=[Subprotocol("streamlit")], max_size=None
        ) as socket:
            try:
                await self._ask(socket, "")
                async for raw in socket:
                    self._take(socket, raw if isinstance(raw, bytes) else raw.encode())
                raise CommandError("the panel hung up on a viewer of the benchmark")
            except ConnectionClosed as closed:
                raise CommandError(f"the panel hung up on a viewer of the benchmark: {closed}") from closed
            finally:
                for timer in self._timers.values():
                    timer.cancel()

    async def _ask(self, socket: ClientConnection, fragment: str) -> None:
        asked = BackMsg()
        asked.rerun_script.page_script_hash = self._page_hash
        if not self._page_hash:
            asked.rerun_script.page_name = self.page
        if fragment:
            asked.rerun_script.fragment_id = fragment
            asked.rerun_script.is_auto_rerun = True
        asked.rerun_script.cached_message_hashes.extend(self._cached)
        await socket.send(asked.SerializeToString())

    def _take(self, socket: ClientConnection, raw: bytes) -> None:
        message = ForwardMsg.FromString(raw)
        counted = time.monotonic() >= self.measured_from
        self.received_bytes += len(raw) if counted else 0
        if message.metadata.cacheable:
            self._cached.add(message.hash)
        match message.WhichOneof("type"):
            case "new_session":
                self._page_hash = message.new_session.page_script_hash
            case "auto_rerun":
                self._start(socket, message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self._stop(fragment)
            case "script_finished":
                self._finished(message.script_finished, counted=counted)
            case "delta":
                self._look(message)
            case "page_not_found":
                self.problems.append(f"there is no page {self.page!r}")
            case _:
                pass

    def _finished(self, how: int, *, counted: bool) -> None:
        if how == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self._ended = time.monotonic()
            self.runs += int(counted)
        elif how == ForwardMsg.FINISHED_SUCCESSFULLY:
            self.opened.set()

    def _look(self, message: ForwardMsg) -> None:
        element = message.delta.new_element
        if element.WhichOneof("type") == "exception":
            self.problems.append(f"{self.page or 'overview'}: {element.exception.type}: {element.exception.message}")

    def _start(self, socket: ClientConnection, fragment: str, interval_s: float) -> None:
        if fragment not in self._timers:
            self._timers[fragment] = asyncio.create_task(self._again(socket, fragment, interval_s))

    def _stop(self, fragment: str) -> None:
        if timer := self._timers.pop(fragment, None):
            timer.cancel()

    async def _again(self, socket: ClientConnection, fragment: str, interval_s: float) -> None:
        due = time.monotonic()
        while True:
            due += interval_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._begin(interval_s / 2)
            await self._ask(socket, fragment)

    def _begin(self, apart_s: float) -> None:
        """Note that a refresh begins, unless this question belongs to the one that has just begun."""
        now = time.monotonic()
        if now - self._began < apart_s:
            return
        if self._ended > self._began >= self.measured_from:
            self.waits_s.append(self._ended - self._began)
        self._began = now


@dataclass(frozen=True)
class Crowd:
    """What so many viewers saw in a stretch of time."""

    runs: int
    received_bytes: int
    waits_s: tuple[float, ...]


async def look(
    url: str,
    pages: Sequence[str],
    *,
    spread_s: float,
    settle_s: float,
    seconds: float,
    count: Callable[[], None],
    least: int = 0,
) -> Crowd:
    """Let a viewer look at each of ``pages`` for so long, once all are open; they begin evenly over ``spread_s``.

    ``count`` is called as the counted time begins and as it ends, which is not before the panel has drawn live parts
    ``least`` times. Raise ``CommandError`` where a page failed.
    """
    viewers = [Viewer(url, page) for page in pages]
    watching = []
    try:
        for place, viewer in enumerate(viewers):
            watching.append(asyncio.create_task(viewer.watch(), name=f"viewer {place}"))
            await _opened(viewer, watching[-1])
            await asyncio.sleep(spread_s / len(viewers))
        await asyncio.sleep(settle_s)
        await asyncio.to_thread(count)
        for viewer in viewers:
            viewer.measured_from = time.monotonic()
        await _watched(watching, seconds)
        deadline = time.monotonic() + OPENS_WITHIN_S
        while sum(viewer.runs for viewer in viewers) < least and time.monotonic() < deadline:
            await _watched(watching, 0.1)
        await asyncio.to_thread(count)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    problems = [problem for viewer in viewers for problem in viewer.problems]
    if problems:
        raise CommandError(f"a page failed in the benchmark: {problems[0]}")
    return Crowd(
        sum(viewer.runs for viewer in viewers),
        sum(viewer.received_bytes for viewer in viewers),
        tuple(wait for viewer in viewers for wait in viewer.waits_s),
    )


async def _watched(watching: Sequence[asyncio.Task[None]], seconds: float) -> None:
    """Wait; raise what ended a viewer before its time."""
    done, _ = await asyncio.wait(watching, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _opened(viewer: Viewer, watching: asyncio.Task[None]) -> None:
    opened = asyncio.create_task(viewer.opened.wait())
    done, _ = await asyncio.wait({opened, watching}, timeout=OPENS_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    opened.cancel()
    if watching in done:
        watching.result()
    if opened not in done:
        raise CommandError(f"the panel did not open {viewer.page or 'overview'} within {OPENS_WITHIN_S:.0f} s")
