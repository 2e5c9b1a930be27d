"""The judge's own Prometheus: started on an empty storage in a folder of its own, gone when it is closed or we are.

It scrapes nothing, evaluates no rule by itself, tells nobody, and listens on loopback alone. Questions that take too
long or too many samples end as errors. It is killed rather than asked to end: what it holds is worth nothing then.

Linux kills it with the thread that started it. A shell that waits for the end of a pipe from us takes the folder away,
however we end; on other systems it kills the engine as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import psutil

from faults.drills.judge.errors import EngineFailed
from faults.drills.judge.questions import Questions
from stack.clients.prometheus import PrometheusClient
from stack.endpoints import HOST
from stack.errors import SourceError
from stack.provision import find_program
from stack.rules.durations import format_duration

READY_WITHIN_S = 60.0
MOST_SAMPLES_OF_QUERY = 5_000_000
"""At a time, 16 bytes each. Prometheus's own bound would take 800 MB."""
_AGES = "100y"
_LOOK_S = 0.01
_PR_SET_PDEATHSIG = 1
_KEEPER = 'trap "" INT TERM HUP; read -r _; if [ -n "$2" ]; then kill -KILL "$2" 2>/dev/null; fi; rm -rf -- "$1"'


class Engine:
    """A running Prometheus at ``url``, and how to ask it. Close it, from whatever thread."""

    def __init__(self, *, lookback_s: float, query_timeout_s: float, program: Path | None = None) -> None:
        """Start it and return when it answers. Raises ``EngineFailed``, or ``ProgramMissing`` where there is none."""
        found = program or find_program("prometheus")
        self.folder = Path(tempfile.mkdtemp(prefix="firedrill-judge-"))
        self._log = self.folder / "log"
        self._interval_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        try:
            self.set_interval(15.0)
            self._process = self._started(_arguments(found, self.folder, lookback_s, query_timeout_s))
            self._keeper = _kept(self.folder, self._process.pid)
            port = self._port()
            self.url = f"http://{HOST}:{port}"
            self.version = self._ready_version()
        except BaseException:
            self.close()
            raise
        self.questions = Questions(HOST, port, timeout_s=1.2 * query_timeout_s + 0.5)

    @property
    def pid(self) -> int:
        """Return its process id; 0 where it has none any more."""
        return self._process.pid if self._process is not None else 0

    def alive(self) -> bool:
        """Return whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """Return the end of what it said."""
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
        except OSError:
            return ""

    def set_interval(self, seconds: float) -> None:
        """Make ``seconds`` the step of subqueries that name none, as the evaluation interval of a stack is."""
        if seconds == self._interval_s:
            return
        interval = format_duration(seconds)
        text = (
            f"global: {{evaluation_interval: {interval}, scrape_interval: {interval}}}\n"
            f"storage: {{tsdb: {{out_of_order_time_window: {_AGES}}}}}\n"
        )
        (self.folder / "prometheus.yml").write_text(text, encoding="utf-8")
        if self._interval_s:
            self.questions.reload()
        self._interval_s = seconds

    def close(self) -> None:
        """End it and take its folder away; as often as asked."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if hasattr(self, "questions"):
                self.questions.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        keeper, self._keeper = self._keeper, None
        if keeper is not None and keeper.stdin is not None:
            keeper.kill()
            keeper.stdin.close()
            keeper.wait()

    def _started(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        # A soft bound on its heap, below which garbage may lie: what it has to hold it holds all the same.
        environment = {**os.environ, "GOGC": "400", "GOMEMLIMIT": "256MiB"}
        with self._log.open("wb") as output:
            try:
                return subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=self.folder,
                    env=environment,
                    start_new_session=True,
                    preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - prctl alone
                )
            except OSError as error:
                raise EngineFailed(str(error)) from None

    def _port(self) -> int:
        """Return the port that the system gave it: nobody else can have taken it."""
        while True:
            try:
                for connection in psutil.Process(self.pid).net_connections("tcp4"):
                    if connection.status == psutil.CONN_LISTEN:
                        return int(connection.laddr.port)
            except psutil.Error:
                pass
            self._wait("it did not listen")

    def _ready_version(self) -> str:
        with PrometheusClient(self.url) as client:
            while not client.ready():
                self._wait("it was not ready")
            try:
                return client.build_version()
            except SourceError as error:
                raise EngineFailed(str(error), self.output()) from None

    def _wait(self, what: str) -> None:
        """Return a moment later; raise ``EngineFailed`` where it has ended, or its time is up."""
        process = self._process
        if process is None or process.poll() is not None:
            code = process.returncode if process is not None else 0
            raise EngineFailed(f"it ended with exit code {code}", self.output())
        if time.time() - psutil.Process(process.pid).create_time() > READY_WITHIN_S:
            raise EngineFailed(f"{what} within {READY_WITHIN_S:g} s", self.output())
        time.sleep(_LOOK_S)


def _arguments(program: Path, folder: Path, lookback_s: float, query_timeout_s: float) -> list[str]:
    return [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={_AGES}",
        f"--storage.tsdb.min-block-duration={_AGES}",  # all of it stays in the head, and may come in at any time
        f"--storage.tsdb.max-block-duration={_AGES}",
        f"--web.listen-address={HOST}:0",
        "--web.enable-remote-write-receiver",
        "--web.enable-lifecycle",
        f"--query.lookback-delta={format_duration(lookback_s)}",
        f"--query.timeout={format_duration(query_timeout_s)}",
        f"--query.max-samples={MOST_SAMPLES_OF_QUERY}",
        "--log.level=warn",
    ]


def _kept(folder: Path, pid: int) -> subprocess.Popen[bytes] | None:
    """Start what takes ``folder`` away when we are gone, and where Linux does not, ends ``pid``."""
    shell = shutil.which("sh")
    if shell is None:
        return None
    argv = [shell, "-c", _KEEPER, "sh", str(folder), "" if sys.platform == "linux" else str(pid)]
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


@cache
def _prctl() -> Callable[[int, int], int]:
    """Return Linux's prctl, looked up before any fork."""
    prctl: Callable[[int, int], int] = ctypes.CDLL(None, use_errno=True).prctl
    return prctl


def _die_with(parent: int) -> Callable[[], None]:
    """Return what the engine does between fork and exec: ask to be killed with ``parent``."""
    prctl = _prctl()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return arm
