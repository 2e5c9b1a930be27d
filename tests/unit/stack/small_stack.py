"""A stack of small real processes for the tests of the supervisor: ``python small_stack.py NAME PORT [BEHAVIOUR]``.

Each child is an HTTP server that answers /health, ends itself at /die and starts a grandchild at /fork. Behaviours:
``deaf`` ignores SIGTERM, ``sick`` never becomes healthy, ``broken`` ends at once, ``brief`` ends soon after a request.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stack.components import Component, Plan, Probe


def _child(name: str, port: str, behaviour: str = "") -> Callable[[Plan], Sequence[str]]:
    return lambda plan: [sys.executable, __file__, name, str(plan.endpoints.port(port)), behaviour]


def _row(
    name: str,
    port: str,
    behaviour: str = "",
    *,
    needs: tuple[str, ...] = (),
    uses: tuple[str, ...] = (),
    deadline_s: float = 20.0,
) -> Component:
    return Component(
        name=name,
        title=name.capitalize(),
        argv=_child(name, port, behaviour),
        ports=(port,),
        probe=Probe(port, "/health", deadline_s),
        needs=needs,
        uses=uses,
    )


BASE = _row("base", "service")
COMPONENTS = (BASE, _row("top", "conductor", needs=("base",)), _row("side", "panel", uses=("top",)))
DEAF = (_row("base", "service", "deaf"), _row("top", "conductor", "deaf", needs=("base",)))
SICK = (BASE, _row("top", "conductor", "sick", deadline_s=3.0))
BROKEN = (BASE, _row("top", "conductor", "broken"))
BRIEF = (BASE, _row("top", "conductor", "brief"))


class Answers(BaseHTTPRequestHandler):
    """What a child answers."""

    behaviour = ""

    def do_GET(self) -> None:
        """Answer one request, by its path."""
        healthy = self.behaviour != "sick"
        self.send_response(200 if healthy else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.flush()
        if self.path == "/die":
            print("asked to die", flush=True)  # noqa: T201 - the log is what is tested
            os._exit(3)
        if self.path == "/fork":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        if self.behaviour == "brief":
            threading.Timer(0.3, os._exit, (4,)).start()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing of single requests."""


def main(name: str, port: str, behaviour: str) -> None:
    """Be a child."""
    print(f"{name} speaking from {Path.cwd()} at pace {os.environ['FIREDRILL_PACE']}", flush=True)  # noqa: T201 - as above
    if behaviour == "broken":
        print("cannot go on: the moon is in the wrong house", file=sys.stderr)  # noqa: T201 - as above
        sys.exit(7)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "deaf" else lambda *_: os._exit(0))
    Answers.behaviour = behaviour
    ThreadingHTTPServer(("127.0.0.1", int(port)), Answers).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:4])
