"""The connections that stay open: each ends with the session it began in: at a logout, a new password, after 12 h.

It looks at the sessions every second while there is a connection, and asks nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from panel.access.sessions import Sessions

LOOK_S = 1.0


class Visits:
    """All open connections of visitors that had to come in."""

    def __init__(self, sessions: Sessions, *, look_s: float = LOOK_S) -> None:
        self._sessions, self._look_s = sessions, look_s
        self._open: dict[asyncio.Future[None], str] = {}
        self._watch: asyncio.Task[None] | None = None

    async def last(self, token: str, visit: Awaitable[None]) -> bool:
        """Wait for the end of ``visit``; return False where its session ended first."""
        task = asyncio.ensure_future(visit)
        self._open[task] = token
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look())
        try:
            await task
        except asyncio.CancelledError:
            if task in self._open:  # it is the server that stops, not the session
                task.cancel()
                raise
            return False
        finally:
            self._open.pop(task, None)
        return True

    async def _look(self) -> None:
        while self._open:
            for task, token in list(self._open.items()):
                if self._sessions.role(token) is None:
                    del self._open[task]
                    task.cancel()
            await asyncio.sleep(self._look_s)
