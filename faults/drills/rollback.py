"""Takes back what a run has changed, for as long as patience lasts. What is left then, the conductor tends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TypeVar

from faults.drills.fires import Fires
from faults.drills.journal import What

T = TypeVar("T")

_RETRY_S = 0.5


@dataclass(frozen=True)
class Rollback:
    """How a rollback went. ``ended_at``: when the last fault ended, Unix seconds; ``left``: why some was not undone."""

    ended_at: float | None
    left: tuple[str, ...]


async def roll_back(
    fires: Fires, run_id: str, what: What, *, patience_s: Callable[[], float], now: Callable[[], float]
) -> Rollback:
    """Undo the intents of kind ``what`` of a run, trying again until ``patience_s()`` seconds have passed."""
    began = now()
    ended_at: list[float] = []
    while True:
        left = []
        for intent in fires.to_undo(run_id):
            if intent.what != what:
                continue
            undone = await fires.undo(intent, f"drill {run_id}")
            if not undone.done:
                left.append(undone.reason)
            elif undone.record is not None and undone.record.ended_at is not None:
                ended_at.append(undone.record.ended_at)
        if not left or now() - began >= patience_s():
            return Rollback(max(ended_at, default=None), tuple(left))
        await asyncio.sleep(_RETRY_S)


async def to_the_end(work: Coroutine[None, None, T]) -> T:
    """Await ``work`` to its end even while this task is being cancelled, again and again."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            continue
    return task.result()
