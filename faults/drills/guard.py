"""``python -m faults.drills.guard``: lets stopped processes go on when nobody else is left to do it.

The conductor starts one, in a session of its own, before it stops a process. It waits until its time is over, or until
the conductor is gone, which it sees by the end of its standard input, and then sends SIGCONT to whom it was told of, if
they are still the same. Told to stand down, it goes without doing anything.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

import psutil
from pydantic import TypeAdapter

from stack.state import ProcessIdentity

ARMED, STAND_DOWN = b"armed\n", b"x"
ARM_WITHIN_S = 20.0
_IDENTITIES = TypeAdapter(tuple[ProcessIdentity, ...])


class NoGuard(Exception):  # noqa: N818 - reads as a fact where it is raised
    """The guard did not come up, so that nothing may be stopped."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the process that would let it go on again could not be started: {reason}")


def let_go_on(identities: Iterable[ProcessIdentity]) -> int:
    """Send SIGCONT to those that are still who they were; return how many were there."""
    found = 0
    for identity in identities:
        process = identity.process()
        if process is not None:
            with contextlib.suppress(psutil.Error):
                process.resume()
                found += 1
    return found


class Guard:
    """A guard that was started. Its methods block: not for an event loop's thread."""

    def __init__(self, identities: Sequence[ProcessIdentity], within_s: float) -> None:
        """Start it; raise ``NoGuard``. Should this process die from now on, the guard acts as soon as it is there."""
        command = [sys.executable, "-m", "faults.drills.guard", str(within_s)]
        command.append(_IDENTITIES.dump_json(tuple(identities)).decode())
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise NoGuard(str(error)) from error

    def wait_until_armed(self) -> None:
        """Return once it watches; raise ``NoGuard``, having ended it."""
        output = self._process.stdout
        if output is None or not _says_armed(output.fileno()):
            self._process.kill()
            self._process.wait()
            raise NoGuard(f"it did not answer within {ARM_WITHIN_S:g} s")

    def stand_down(self) -> None:
        """End it without any effect; harmless when it has ended."""
        with contextlib.suppress(OSError):
            self._process.communicate(STAND_DOWN, timeout=ARM_WITHIN_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid


def _says_armed(descriptor: int) -> bool:
    readable, _, _ = select.select([descriptor], [], [], ARM_WITHIN_S)
    return bool(readable) and os.read(descriptor, len(ARMED)) == ARMED


def main(arguments: Sequence[str]) -> int:
    """Watch; return 0."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    within_s, identities = float(arguments[0]), _IDENTITIES.validate_json(arguments[1])
    deadline = time.monotonic() + within_s
    os.write(sys.stdout.fileno(), ARMED)
    readable, _, _ = select.select([sys.stdin.fileno()], [], [], max(0.0, deadline - time.monotonic()))
    if not readable or os.read(sys.stdin.fileno(), 1) != STAND_DOWN:
        let_go_on(identities)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
