"""Who has come in: sessions by the hash of a random token, kept in a file so that a restarted panel knows them still.

The token itself is only in the visitor's browser. Used from the event loop of one process.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from panel.access.role import Role
from panel.access.store import AccessStore, write_private

LASTS_S = 12 * 3600.0
MOST = 1000
"""More sessions than this at once are no audience; the oldest reader then has to come in anew."""
log = logging.getLogger(__name__)


class Session(BaseModel):
    """One visitor. ``ends_at`` in Unix seconds; good only while ``stamp`` is that of the role."""

    role: Role
    ends_at: float
    stamp: str


_FILE = TypeAdapter(dict[str, Session])


class Sessions:
    """All sessions of one panel."""

    def __init__(self, path: Path, store: AccessStore, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._store, self._clock = path, store, clock
        self._known = self._load()

    def begin(self, role: Role) -> str:
        """Open a session and return its token, which nobody can guess."""
        token = secrets.token_urlsafe(32)
        self._known = {key: each for key, each in self._known.items() if self._good(each)}
        if len(self._known) >= MOST:
            readers = [key for key, each in self._known.items() if each.role == "reader"]
            self._known.pop(readers[0] if readers else next(iter(self._known)))
        stamp = self._store.known().stamp(role)
        self._known[_key(token)] = Session(role=role, ends_at=self._clock() + LASTS_S, stamp=stamp)
        self._save()
        return token

    def role(self, token: str) -> Role | None:
        """Return whose session this is; ``None`` for one that is over or never was."""
        session = self._known.get(_key(token)) if token else None
        return session.role if session is not None and self._good(session) else None

    def end(self, token: str) -> None:
        """End a session; harmless for one that is over."""
        if self._known.pop(_key(token), None) is not None:
            self._save()

    def _good(self, session: Session) -> bool:
        return session.ends_at > self._clock() and session.stamp == self._store.known().stamp(session.role)

    def _load(self) -> dict[str, Session]:
        try:
            return _FILE.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as problem:
            log.warning("%s cannot be read (%s): everyone has to come in anew", self._path, type(problem).__name__)
            return {}

    def _save(self) -> None:
        write_private(self._path, _FILE.dump_json(self._known).decode())


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
