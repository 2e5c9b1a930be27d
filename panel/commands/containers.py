"""``firedrill up --runtime docker``: the stack in containers, from the terminal."""

from __future__ import annotations

import signal
from collections.abc import Callable

from stack import docker_stack, runtimes
from stack.docker_logs import logs
from stack.docker_options import Options
from stack.docker_record import load_record
from stack.events import OnEvent
from stack.logbook import LogLine
from stack.status import StackStatus


def start(options: Options, *, on_event: OnEvent) -> StackStatus:
    """Bring the stack up in containers and return what runs then."""
    runtimes.forbid_other(options.home, "docker")
    docker_stack.up(options, on_event=on_event)
    return runtimes.read_status(options.home)


def attend(options: Options, *, on_line: Callable[[LogLine], None]) -> None:
    """Stay in the foreground with the containers' log until Ctrl-C, SIGTERM, SIGHUP or ``down``; then stop all."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    record = load_record(options.home)
    try:
        for line in logs(record, None, lines=0, follow=True) if record is not None else ():
            on_line(line)
    except KeyboardInterrupt:
        pass
    finally:
        docker_stack.down(options.home)
