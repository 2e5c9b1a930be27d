"""A lock that lives exactly as long as its holder: ``flock`` on a file, gone with the process however it ends.

The file's content names the holder, for messages and for whoever wants to stop it. POSIX only, like the runtime.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from pydantic import ValidationError

from stack.home import Home
from stack.state import ProcessIdentity


def lock_path(home: Home) -> Path:
    """Return the file whose lock means: this home's stack is up, or somebody is about to bring it up."""
    return home.run / "stack.lock"


class FileLock:
    """An exclusive lock on one file, held or not."""

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def inherited(cls, path: Path, descriptor: int) -> FileLock:
        """Take over a lock that the parent process acquired and passed on as ``descriptor``."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only in the standard library
        return cls(path, descriptor)

    @property
    def descriptor(self) -> int:
        """The open file that carries the lock, to be passed to a child."""
        if self._descriptor is None:
            msg = f"the lock {self.path} is not held"
            raise RuntimeError(msg)
        return self._descriptor

    def acquire(self, within_s: float = 0.0) -> bool:
        """Take the lock and write our name on it; False where another process kept it for ``within_s`` seconds."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + within_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(0.02)
            else:
                self._descriptor = descriptor
                self.sign()
                return True

    def sign(self) -> None:
        """Write this process's identity into the held lock."""
        content = ProcessIdentity.own().model_dump_json().encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, content, 0)

    def release(self) -> None:
        """Let go in this process; a child that was given the descriptor still holds the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Tell whether any process holds the lock now."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def holder(self) -> ProcessIdentity | None:
        """Return who signed the lock last; meaningful while it is held."""
        try:
            return ProcessIdentity.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
