"""Starts the process that answers a question, hears it, and ends it with all that it has started.

For one thread. It knows nothing of what the answers mean.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil
from pydantic import ValidationError

from panel.rulebook.answers import MESSAGE, Message
from panel.rulebook.questions import Errand, Question
from stack.component import ROOT

ORDERLY_S = 1.2
"""How long it may take to end by itself once it is asked to."""
ABRUPT_S = 0.5
_TOLD_CHARS = 600


class Answering:
    """A process at work on one question. End it, from whatever thread."""

    def __init__(self, question: Question, artifacts: Path, *, jobs: int = 0, cached: bool = True) -> None:
        """Start it; it is heard by ``messages``."""
        self._ending, self._ended = threading.Lock(), False
        self._folder = Path(tempfile.mkdtemp(prefix="firedrill-rules-"))
        self._errors = (self._folder / "said").open("w+b")
        work = self._folder / "work"
        work.mkdir()
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "panel.rulebook.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        errand = Errand(question=question, artifacts=str(artifacts), folder=str(work), jobs=jobs, cached=cached)
        with contextlib.suppress(OSError):  # it has ended already: its messages say so
            self._input.write(f"{errand.model_dump_json()}\n".encode())
            self._input.flush()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Return its exit status; ``None`` while it runs."""
        return self._process.poll()

    def messages(self) -> Iterator[Message]:
        """Yield what it says until it ends."""
        stream = self._process.stdout
        for line in stream or ():
            with contextlib.suppress(ValidationError):  # a line that was cut off when it was ended
                yield MESSAGE.validate_json(line)

    def last_words(self) -> str:
        """Return the last line of what it printed: what a crash is about. Before it is ended."""
        lines = (self._folder / "said").read_bytes().decode(errors="replace").strip().splitlines()
        return lines[-1][-_TOLD_CHARS:] if lines else ""

    def end(self) -> None:
        """End it within two seconds, and whatever it started; take its folder away. As often as asked."""
        with self._ending:
            if not self._ended:
                self._ended = True
                self._end()

    def _end(self) -> None:
        started = self._started()
        with contextlib.suppress(OSError):
            self._input.close()  # at which it ends in order
        try:
            self._process.wait(ORDERLY_S)
        except subprocess.TimeoutExpired:
            started += self._started()
            self._process.kill()
            self._process.wait()
        _, alive = psutil.wait_procs(started, timeout=ABRUPT_S)
        for one in alive:
            with contextlib.suppress(psutil.Error):
                one.kill()
        self._errors.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _started(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self._process.pid).children(recursive=True)
        except psutil.Error:
            return []

    @property
    def _input(self) -> IO[bytes]:
        if self._process.stdin is None:
            raise RuntimeError("the process was started without an input")
        return self._process.stdin
