"""What the gate has to know, in one file of the home that only its owner can read: no password, but its hash.

The terminal writes it (``firedrill up``, ``firedrill access``), the gate reads it anew whenever it has changed.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import MutableMapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panel.access.errors import AccessUnreadable, BadOpening
from panel.access.passwords import Hashed, new_code
from panel.access.role import Role
from stack.home import Home

log = logging.getLogger(__name__)
PASSWORD = "FIREDRILL_PANEL_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE = f"{PASSWORD}_FILE"


class AccessRecord(BaseModel):
    """Who may come in. A session is good for as long as the stamp of its role stays the same.

    ``panel`` tells the cookies of two panels on one machine apart. Without a ``code`` there is no audience.
    ``host`` and ``names`` say where the panel was opened last (see ``opening``), for whoever tells others the address.
    """

    model_config = ConfigDict(frozen=True)

    panel: str = Field(default_factory=lambda: secrets.token_hex(4))
    password: Hashed | None = None
    code: str = ""
    audience: bool = True
    host: str = ""
    names: tuple[str, ...] = ()
    operators: str = Field(default_factory=lambda: secrets.token_hex(8))
    readers: str = Field(default_factory=lambda: secrets.token_hex(8))

    def stamp(self, role: Role) -> str:
        """Return what changes when the sessions of ``role`` are to end."""
        return self.operators if role == "operator" else self.readers


class AccessStore:
    """The record in one home."""

    def __init__(self, home: Home) -> None:
        self.path = home.run / "panel-access.json"
        self._seen: tuple[int, int, int] | None = None
        self._record = AccessRecord()

    def read(self) -> AccessRecord:
        """Return the record as it is now; raise ``AccessUnreadable`` where the file is damaged."""
        try:
            about = self.path.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
            if seen != self._seen:
                self._record, self._seen = AccessRecord.model_validate_json(self.path.read_bytes()), seen
        except FileNotFoundError:
            if self._seen is not None:
                self._record, self._seen = AccessRecord(), None
        except (OSError, ValidationError) as problem:
            reason = "it is none of ours" if isinstance(problem, ValidationError) else str(problem)
            raise AccessUnreadable(self.path, reason) from problem
        return self._record

    def known(self) -> AccessRecord:
        """Return the record as ``read`` does; of a damaged file one that lets nobody in."""
        try:
            return self.read()
        except AccessUnreadable as problem:
            log.error("%s", problem)  # noqa: TRY400 - the message says it all
            return AccessRecord()

    def set_password(self, password: str) -> None:
        """Keep the hash of ``password``; whoever came in by an earlier one has to come in anew."""
        self._write(password=Hashed.of(password), operators=secrets.token_hex(8))

    def choose_password(self, password: str) -> None:
        """Keep ``password`` where it is another one than before, so that sessions outlive a start with the same one."""
        known = self.read().password
        if known is None or not known.fits(password):
            self.set_password(password)

    def set_code(self, code: str) -> None:
        """Keep ``code`` for the audience; whoever came in by an earlier one has to come in anew. Empty: no audience."""
        self._write(code=code, audience=bool(code), readers=secrets.token_hex(8))

    def open(self, host: str, names: tuple[str, ...]) -> None:
        """Keep where the panel is open; make a code where there is none and nobody decided against an audience."""
        record = self.read()
        if (record.host, record.names) != (host, names):
            self._write(host=host, names=names)
        if record.audience and not record.code:
            self.set_code(new_code())

    def close(self) -> None:
        """Keep that the panel is on loopback again; sessions are left alone."""
        if self.read().host or self.read().names:
            self._write(host="", names=())

    def _write(self, **changed: object) -> None:
        write_private(self.path, self.read().model_copy(update=changed).model_dump_json(indent=1))


def write_private(path: Path, text: str) -> None:
    """Replace the file at ``path`` in one step by one that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(path)


def take_password(environment: MutableMapping[str, str]) -> str:
    """Return the password that somebody chose, by a file or a variable, and empty where nobody did.

    It is taken out of the environment, so that no process started later has it there.
    """
    named, given = environment.pop(PASSWORD_FILE, ""), environment.pop(PASSWORD, "")
    if named:
        try:
            return Path(named).expanduser().read_text(encoding="utf-8").strip()
        except OSError as problem:
            raise BadOpening(PASSWORD_FILE, named, f"the file cannot be read ({problem.strerror})") from problem
    return given
