"""The one combined log: every line of every component with its time and its name, in files of bounded size.

One supervisor writes, anyone reads. A full disk loses lines, never the stack.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from stack.home import Home

MAX_BYTES = 16 * 1024 * 1024
KEPT_FILES = 2
_LINE = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([a-z][a-z0-9-]*) +\| (.*)$", re.DOTALL)


@dataclass(frozen=True)
class LogLine:
    """One line. ``at`` is UTC in ISO 8601 with milliseconds; ``str()`` is the line as it stands in the file."""

    at: str
    component: str
    text: str

    def __str__(self) -> str:
        return f"{self.at} {self.component:<12} | {self.text}"

    @classmethod
    def now(cls, component: str, text: str) -> LogLine:
        """Return a line of this moment."""
        stamp = datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return cls(stamp, component, text)

    @classmethod
    def parse(cls, line: str) -> LogLine:
        """Read a line of the file; one without the usual start (a traceback) counts as the supervisor's."""
        match = _LINE.match(line)
        return cls(*match.groups()) if match else cls("", "supervisor", line)


class Logbook:
    """The writer. Rotates ``firedrill.log`` to ``.1`` and ``.2`` when it has grown to ``max_bytes``."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._max_bytes = path, max_bytes
        self._stream: IO[bytes] = path.open("ab", buffering=0)
        self._size = path.stat().st_size
        self._lost = 0

    def write(self, line: LogLine) -> None:
        """Append ``line``. Lines that the disk refuses are counted and named in the first one that it takes again."""
        lost = f"{LogLine.now('supervisor', f'{self._lost} log lines were lost: disk full?')}\n" if self._lost else ""
        content = f"{lost}{line}\n".encode("utf-8", "replace")
        try:
            if self._size + len(content) > self._max_bytes and self._size:
                self._rotate()
            self._size += self._stream.write(content) or 0
            self._lost = 0
        except OSError:
            self._lost += 1

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _rotate(self) -> None:
        self._stream.close()
        for number in range(KEPT_FILES - 1, 0, -1):
            older = _numbered(self._path, number)
            if older.exists():
                older.replace(_numbered(self._path, number + 1))
        self._path.replace(_numbered(self._path, 1))
        self._stream = self._path.open("ab", buffering=0)
        self._size = 0


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def logs(home: Home, component: str | None = None, *, lines: int = 100, follow: bool = False) -> Iterator[LogLine]:
    """Yield the last ``lines`` lines (of ``component``, or of all), oldest first; then, with ``follow``, new ones.

    A followed log goes on through rotations and restarts until the caller stops asking.
    """
    path = home.log_file
    try:
        stream: IO[bytes] | None = path.open("rb")
    except FileNotFoundError:
        stream = None
    last: deque[LogLine] = deque(maxlen=max(lines, 0))
    if stream is not None:
        last.extend(_matching(stream, component))
    for number in range(1, KEPT_FILES + 1):
        if len(last) >= lines or not _numbered(path, number).exists():
            break
        with _numbered(path, number).open("rb") as older:
            earlier = deque(_matching(older, component), maxlen=lines - len(last))
        last.extendleft(reversed(earlier))
    yield from last
    if follow:
        yield from _follow(path, stream, component)
    elif stream is not None:
        stream.close()


def _matching(stream: IO[bytes], component: str | None) -> Iterator[LogLine]:
    while raw := stream.readline():
        if not raw.endswith(b"\n"):  # still being written: leave it for the next look
            stream.seek(-len(raw), 1)
            return
        line = LogLine.parse(raw.decode("utf-8", "replace").rstrip("\r\n"))
        if component in {None, line.component}:
            yield line


def _follow(path: Path, stream: IO[bytes] | None, component: str | None, poll_s: float = 0.2) -> Iterator[LogLine]:
    while True:
        if stream is not None:
            yield from _matching(stream, component)
        try:
            fresh = path.open("rb")
        except FileNotFoundError:
            fresh = None
        if fresh is not None and (stream is None or not _same_file(fresh, stream)):
            if stream is not None:
                yield from _matching(stream, component)
                stream.close()
            stream = fresh
            continue
        if fresh is not None:
            fresh.close()
        time.sleep(poll_s)


def _same_file(one: IO[bytes], other: IO[bytes]) -> bool:
    return os.path.sameopenfile(one.fileno(), other.fileno())
