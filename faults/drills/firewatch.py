"""Keeps an eye on what a drill has lit: that it still burns, in the same service, and that nothing else does.

A fault that brings the service down makes a restart of it what was to be expected; everything else does not.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults.base import FaultRecord, catalogue
from faults.drills.control import Instance
from faults.drills.errors import ControlError
from faults.drills.places import Places


@dataclass(frozen=True)
class Gone:
    """A fault, or all of them, ended through no doing of the drill. ``restarted``: the service went down with it."""

    reason: str
    restarted: bool


class FireWatch:
    """The watch over one run's faults. ``notes`` gathers what a reader of the verdict has to know, once each."""

    def __init__(self, control: Places, instance: Instance) -> None:
        self._control, self._instance = control, instance
        self._seen: set[str] = set()
        self._restarting: str | None = None
        self._in_service: dict[str, str] = {}
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Add a note unless it stands there already."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def expect_end(self, fault_id: str) -> None:
        """Take the end of a fault for the drill's own doing: it is about to put it out itself."""
        self._seen.add(fault_id)
        self._in_service.pop(fault_id, None)

    async def begin(self) -> None:
        """Take the service as it is now for the one that will be set on fire; raise ``ControlError``."""
        self._instance = await self._control.instance()

    async def restarted(self, fault_at: float | None) -> Gone | None:
        """Return that the service was restarted since; a service that does not answer is no proof of it.

        A restart that one of the drill's faults brings about is noted, not returned.
        """
        try:
            instance = await self._control.instance()
        except ControlError:
            return None
        if instance.id == self._instance.id:
            return None
        self._instance = instance
        if self._restarting is not None:
            self.note(f"the service was restarted meanwhile, which is what {self._restarting} does")
            return None
        since = f" {instance.started_at - fault_at:.0f} s after the fault" if fault_at is not None else ""
        reason = f"the service was restarted{since}, which ended every fault in it"
        self.note(reason)
        return Gone(reason, restarted=True)

    async def check(self, fault_ids: list[str], fault_at: float | None) -> Gone | None:
        """Return what ended the drill's faults before their time; expiry is noted, not returned.

        While the service does not answer nothing is concluded: the deadline decides, and the rollback says it if it
        stays so.
        """
        seen = await self._control.look()
        gone = None
        for record in seen.records:
            if record.id in fault_ids:
                self._learn(record)
                gone = self._ended(record) or gone
            elif record.state == "active":
                self.note(f"the fault {record.kind} ({record.id}) was lit by someone else during the drill")
        if "service" in seen.silent:
            return gone
        restarted = await self.restarted(fault_at)
        if self._restarting is not None:
            self._note_lost({record.id for record in seen.records})
        return restarted or gone

    def _learn(self, record: FaultRecord) -> None:
        kind = catalogue().get(record.kind)
        if kind is not None and kind.restarts:
            self._restarting = record.kind
        if record.place == "service" and record.state == "active":
            self._in_service[record.id] = record.kind

    def _note_lost(self, known: set[str]) -> None:
        """Note which of the drill's faults in the service went down with it."""
        for fault_id, kind in [*self._in_service.items()]:
            if fault_id not in known:
                del self._in_service[fault_id]
                self.note(f"the fault {kind} ({fault_id}) ended when {self._restarting} brought the service down")

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
