"""Keeps a run to its schedule: lights what is due, puts out what has lasted. It watches nothing and judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.drills.fires import Fires
from faults.drills.firewatch import FireWatch
from faults.drills.plan import Plan
from faults.drills.schedule import Lighting
from faults.drills.wire import DrillRun


@dataclass(frozen=True)
class PutOut:
    """A fault that the drill itself puts out, in seconds after the steady state."""

    at_s: float
    fault_id: str


class Burning:
    """The schedule of one run, from ``now()`` on. What has become due is done in its order, however late."""

    def __init__(
        self, plan: Plan, run: DrillRun, fires: Fires, firewatch: FireWatch, *, now: Callable[[], float]
    ) -> None:
        self._run, self._fires, self._firewatch, self._now = run, fires, firewatch, now
        self._ahead = sorted(plan.schedule, key=lambda one: (one.at_s, one.step))
        self._to_put_out: list[PutOut] = []
        self._began = now()
        self.last_out_at: float | None = None
        """When the last fault that the schedule put out had ended, Unix seconds."""

    @property
    def all_lit(self) -> bool:
        """Whether nothing is left to light."""
        return not self._ahead

    def wait_s(self, most_s: float) -> float:
        """Return for how many seconds nothing is due, at most ``most_s``."""
        first = self._first()
        return most_s if first is None else min(most_s, max(0.0, self._began + first.at_s - self._now()))

    def coming(self) -> str:
        """Return what the schedule does next and when, as a clause; empty where nothing is left."""
        first = self._first()
        if first is None:
            return ""
        in_s = max(0.0, self._began + first.at_s - self._now())
        what = f"lights {first.request.kind}" if isinstance(first, Lighting) else "puts a fault out"
        return f"{what} in {in_s:.0f} s"

    async def go_on(self) -> bool:
        """Do what is due; say whether that was anything. Raises ``ControlError`` where a fault cannot be lit."""
        changed = False
        while (due := self._first()) is not None and self._began + due.at_s <= self._now():
            changed = True
            if isinstance(due, Lighting):
                await self._light(due)
            else:
                await self._put_out(due)
        return changed

    def _first(self) -> Lighting | PutOut | None:
        """Return what comes next; of two at one time the end goes before the beginning."""
        steps: list[Lighting | PutOut] = [*self._to_put_out[:1], *self._ahead[:1]]
        return min(steps, key=lambda one: one.at_s, default=None)

    async def _light(self, lighting: Lighting) -> None:
        record = await self._fires.light(self._run.id, lighting.request)
        self._ahead.remove(lighting)
        self._run.fault_ids.append(record.id)
        if self._run.fault_at is None:
            self._run.fault_at = record.started_at
        if lighting.put_out_at_s is not None:
            self._to_put_out.append(PutOut(lighting.put_out_at_s, record.id))
            self._to_put_out.sort(key=lambda one: one.at_s)

    async def _put_out(self, due: PutOut) -> None:
        """Put a fault out; one that cannot be put out now is left to the rollback."""
        self._to_put_out.remove(due)
        self._firewatch.expect_end(due.fault_id)
        undone = await self._fires.put_out(self._run.id, due.fault_id)
        if undone.record is not None and undone.record.ended_at is not None:
            self.last_out_at = undone.record.ended_at
        if not undone.done:
            self._firewatch.note(f"a fault could not be put out when it was due: {undone.reason}")
