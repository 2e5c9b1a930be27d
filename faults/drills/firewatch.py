"""Keeps an eye on what a drill has lit: that it still burns, in the same service, and that nothing else does."""

from __future__ import annotations

from dataclasses import dataclass

from faults.base import FaultRecord
from faults.drills.control import Instance, ServiceControl
from faults.drills.errors import ControlError


@dataclass(frozen=True)
class Gone:
    """A fault, or all of them, ended through no doing of the drill. ``restarted``: the service went down with it."""

    reason: str
    restarted: bool


class FireWatch:
    """The watch over one run's faults. ``notes`` gathers what a reader of the verdict has to know, once each."""

    def __init__(self, control: ServiceControl, instance: Instance) -> None:
        self._control, self._instance = control, instance
        self._seen: set[str] = set()
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Add a note unless it stands there already."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    async def begin(self) -> None:
        """Take the service as it is now for the one that will be set on fire; raise ``ControlError``."""
        self._instance = await self._control.instance()

    async def restarted(self, fault_at: float | None) -> Gone | None:
        """Return that the service was restarted since; a service that does not answer is no proof of it."""
        try:
            instance = await self._control.instance()
        except ControlError:
            return None
        if instance.id == self._instance.id:
            return None
        self._instance = instance
        since = f" {instance.started_at - fault_at:.0f} s after the fault" if fault_at is not None else ""
        reason = f"the service was restarted{since}, which ended every fault in it"
        self.note(reason)
        return Gone(reason, restarted=True)

    async def check(self, fault_ids: list[str], fault_at: float | None) -> Gone | None:
        """Return what ended the drill's faults before their time; expiry is noted, not returned."""
        gone = await self.restarted(fault_at)
        if gone is not None:
            return gone
        try:
            records = await self._control.faults()
        except ControlError:
            return None  # the deadline decides, and the rollback says it if it stays so
        for record in records:
            if record.id in fault_ids:
                gone = self._ended(record) or gone
            elif record.state == "active":
                self.note(f"the fault {record.kind} ({record.id}) was lit by someone else during the drill")
        return gone

    def _ended(self, record: FaultRecord) -> Gone | None:
        if record.state == "active" or record.id in self._seen:
            return None
        self._seen.add(record.id)
        after_s = (record.ended_at or record.started_at) - record.started_at
        if record.end_reason == "expired":
            self.note(f"the fault {record.kind} ended after {after_s:.1f} s by its own time to live")
            return None
        if record.end_reason not in {"rolled_back", "reset"}:  # its rollback failed, or the service is going down
            why = f": {record.error}" if record.error else ""
            self.note(f"the fault {record.kind} ended after {after_s:.1f} s ({record.end_reason}{why})")
            return None
        reason = f"the fault {record.kind} was put out by someone else after {after_s:.1f} s ({record.end_reason})"
        self.note(reason)
        return Gone(reason, restarted=False)
