"""The containers' output as one log, in the lines of ``stack.logbook``. It reads what the engine keeps."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

from stack.compose import COMPOSE_FILE
from stack.docker_containers import Project, asking
from stack.docker_engine import connect
from stack.docker_record import DockerRecord
from stack.logbook import LogLine


def logs(record: DockerRecord, component: str | None, *, lines: int = 100, follow: bool = False) -> Iterator[LogLine]:
    """Yield the last ``lines`` lines (of ``component``, or of all), oldest first; then, with ``follow``, new ones.

    A followed log ends when no container runs any more. Raises ``EngineUnavailable`` or ``EngineRefused``.
    """
    found = Project(connect(timeout_s=3600.0 if follow else 30.0), record.project, COMPOSE_FILE.parent).containers()
    chosen = {name: each for name, each in found.items() if component in {None, name}}
    last: list[LogLine] = []
    for name, container in chosen.items():
        with asking(f"read the log of {name}"):
            text = container.logs(timestamps=True, tail=lines).decode("utf-8", "replace")
        last += [_line(name, each) for each in text.splitlines()]
    last.sort(key=lambda line: line.at)
    yield from last[max(0, len(last) - lines) :] if lines else []
    if follow:
        yield from _followed(chosen)


def _followed(containers: dict[str, Any]) -> Iterator[LogLine]:
    """Yield lines as they come, in the order in which the engine hands them over."""
    said: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()

    def read(name: str, container: Any) -> None:
        try:
            rest = b""
            for part in container.logs(timestamps=True, stream=True, follow=True, tail=0):
                *whole, rest = (rest + part).split(b"\n")
                for line in whole:
                    said.put(_line(name, line.decode("utf-8", "replace")))
        finally:
            said.put(None)

    for name, container in containers.items():
        threading.Thread(target=read, args=(name, container), daemon=True).start()
    left = len(containers)
    while left:
        line = said.get()
        left -= line is None
        if line is not None:
            yield line


def _line(name: str, text: str) -> LogLine:
    """Split the engine's time stamp, whose nanoseconds are cut to milliseconds, from what was said."""
    stamp, _, said = text.partition(" ")
    return LogLine(f"{stamp[:23]}Z" if len(stamp) > 23 else stamp, name, said.rstrip("\r"))
