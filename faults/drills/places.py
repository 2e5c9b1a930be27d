"""The places where faults burn, told of as if they were one: the service, the traffic generator, the conductor itself.

Each kind of fault has its place. A place that does not answer hides no other: what the others say is told, and what is
silent is told too. Nothing is lit here without a dead man's switch, and nothing is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from faults.admission import describe
from faults.api import status_of
from faults.base import FaultKind, FaultRecord, FaultRequest, Place, catalogue
from faults.drills.control import Instance, ServiceControl
from faults.drills.errors import ControlError, ControlRefused, ControlUnreachable, PartlyOut
from faults.drills.heartbeat import guarded
from faults.drills.stackhost import StackHost
from faults.errors import FaultError
from faults.host import BareHost
from faults.injector import Injector

T = TypeVar("T")
LOOK_WITHIN_S = 2.0
"""Who has not answered a look by then counts as silent, so that a service that hangs holds up nobody who watches."""
FAULTS_WITHIN_S = 10.0
KNOWN = 1000
"""Of so many faults, the newest, it is remembered where they burn."""
_NOT_FOUND = 404
_MISSING: Mapping[Place, str] = {
    "service": "there is no service here to hold it",
    "traffic": "there is no traffic generator here to hold it",
    "stack": "nothing here acts on the stack from outside",
}


class Held(Protocol):
    """One place, at hand or over HTTP. Everything raises ``ControlError``."""

    async def kinds(self) -> Sequence[FaultKind]:
        """Return the kinds of fault that it can bring about."""

    async def faults(self) -> Sequence[FaultRecord]:
        """Return its faults, active ones first."""

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Light a fault."""

    async def put_out(self, fault_id: str) -> FaultRecord:
        """Put a fault out; harmless when it has ended."""

    async def reset(self) -> Sequence[FaultRecord]:
        """Put everything out."""

    async def heartbeat(self) -> None:
        """Tell it that the conductor is there."""


class OwnFaults:
    """The conductor's own injector, with the errors of a control endpoint."""

    def __init__(self, injector: Injector, host: StackHost) -> None:
        self._injector, self._host = injector, host

    async def kinds(self) -> Sequence[FaultKind]:
        """Return the kinds that act from outside, as far as they are in reach now."""
        await self._host.look()
        return self._injector.kinds()

    async def faults(self) -> Sequence[FaultRecord]:
        """Return its faults, active ones first."""
        return self._injector.records()

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Light a fault; raise ``ControlRefused``."""
        await self._host.look()
        return await self._told(self._injector.light(request))

    async def put_out(self, fault_id: str) -> FaultRecord:
        """Put a fault out; raise ``ControlRefused`` where it is not known."""
        return await self._told(self._injector.put_out(fault_id))

    async def reset(self) -> Sequence[FaultRecord]:
        """Put everything out."""
        return await self._injector.reset()

    async def heartbeat(self) -> None:
        """Beat for its own faults too."""
        self._injector.heartbeat()

    async def clean_up(self) -> None:
        """Take back what a conductor before this one has left."""
        await self._host.clean_up()

    async def close(self) -> None:
        """Put everything out, because the conductor ends."""
        await self._injector.close()

    @staticmethod
    async def _told(work: Awaitable[FaultRecord]) -> FaultRecord:
        try:
            return await work
        except FaultError as error:
            raise ControlRefused(*status_of(error), str(error)) from error


@dataclass(frozen=True)
class Seen:
    """What the places say of their faults, active ones first, and why some say nothing.

    Of a silent place what burned there when it last answered is among ``records``, with the silence as its error.
    """

    records: tuple[FaultRecord, ...]
    silent: Mapping[Place, ControlError]


class Places:
    """All places of one stack, with the methods of ``ServiceControl``."""

    def __init__(self, service: ServiceControl, others: Mapping[Place, Held], *, now: Callable[[], float]) -> None:
        """``others`` are the places beside the service; a kind of any other place is unavailable."""
        self._service, self._now = service, now
        self._places: Mapping[Place, Held] = {"service": service, **others}
        self._last: dict[Place, tuple[FaultRecord, ...]] = {}
        self._place_of_id: dict[str, Place] = {}

    async def instance(self) -> Instance:
        """Return which start of the service answers."""
        return await self._service.instance()

    async def kinds(self) -> Sequence[FaultKind]:
        """Return every kind of the catalogue, each as its place describes it; unavailable where that is silent."""
        answers = await self._ask(lambda place: place.kinds())
        kinds: dict[str, FaultKind] = {}
        for kind in catalogue().values():
            answer = answers.get(kind.place)
            because = str(answer) if isinstance(answer, ControlError) else _MISSING[kind.place]
            described = describe(kind, BareHost())
            kinds[kind.kind] = described.model_copy(update={"available": False, "unavailable_because": because})
        for name, answer in answers.items():
            if not isinstance(answer, ControlError):
                kinds |= {kind.kind: kind for kind in answer if kind.place == name}
        return [kind for _, kind in sorted(kinds.items())]

    async def look(self, within_s: float = LOOK_WITHIN_S) -> Seen:
        """Return what the places say of their faults, with what is known of those that say nothing in time."""
        answers = await self._ask(lambda place: place.faults(), within_s=within_s)
        records: list[FaultRecord] = []
        silent: dict[Place, ControlError] = {}
        for name, answer in answers.items():
            if isinstance(answer, ControlError):
                silent[name] = answer
                records += self._doubtful(name, answer)
            else:
                self._last[name] = tuple(answer)
                self._remember(name, answer)
                records += answer
        records.sort(key=lambda one: (one.state == "ended", -(one.ended_at or one.started_at)))
        return Seen(tuple(records), silent)

    async def faults(self) -> Sequence[FaultRecord]:
        """Return the faults of all places, active ones first; raise the error of a place that does not answer."""
        seen = await self.look(within_s=FAULTS_WITHIN_S)
        for error in seen.silent.values():
            raise error
        return seen.records

    async def faults_of(self, kind: str) -> Sequence[FaultRecord]:
        """Return the faults of the place that ``kind`` belongs to; raise ``ControlError`` where it does not answer."""
        return await self._place_of(kind).faults()

    async def light(self, request: FaultRequest) -> FaultRecord:
        """Light a fault at its kind's place, with a dead man's switch."""
        record = await self._place_of(request.kind).light(guarded(request))
        self._remember(record.place, [record])
        return record

    async def put_out(self, fault_id: str) -> FaultRecord:
        """Put a fault out wherever it burns; a place that does not answer hides no other."""
        known = self._place_of_id.get(fault_id)
        if known is not None:
            return await self._places[known].put_out(fault_id)
        answers = await self._ask(lambda place: place.put_out(fault_id))
        errors = []
        for answer in answers.values():
            if not isinstance(answer, ControlError):
                return answer
            errors.append(answer)
        for error in errors:
            if not (isinstance(error, ControlRefused) and error.status == _NOT_FOUND):
                raise error
        raise errors[0]

    async def reset(self) -> Sequence[FaultRecord]:
        """Put everything out at every place; raise ``PartlyOut`` where one could not be told.

        What acts from outside goes first: it may be the reason why another place does not answer.
        """
        ended: list[FaultRecord] = []
        silent: list[ControlError] = []
        if (own := self._places.get("stack")) is not None:
            ended += await own.reset()
        answers = await self._ask(lambda place: place.reset(), without="stack")
        for answer in answers.values():
            if isinstance(answer, ControlError):
                silent.append(answer)
            else:
                ended += answer
        if silent:
            raise PartlyOut(ended, silent)
        return ended

    async def heartbeat(self) -> None:
        """Tell every place that the conductor is there; raise the error of one that does not hear it."""
        answers = await self._ask(lambda place: place.heartbeat())
        for answer in answers.values():
            if isinstance(answer, ControlError):
                raise answer

    # -- inside --------------------------------------------------------------------------------------------------

    async def _ask(
        self, what: Callable[[Held], Awaitable[T]], *, without: Place | None = None, within_s: float | None = None
    ) -> dict[Place, T | ControlError]:
        """Return the answer of every place, or what went wrong in its place; none takes longer than ``within_s``."""

        async def ask(name: Place, place: Held) -> T | ControlError:
            try:
                async with asyncio.timeout(within_s):
                    return await what(place)
            except ControlError as error:
                return error
            except TimeoutError:
                return ControlUnreachable(f"the {name}", "its control endpoint", f"no answer within {within_s:g} s")

        asked = {name: place for name, place in self._places.items() if name != without}
        answers = await asyncio.gather(*(ask(name, place) for name, place in asked.items()))
        return dict(zip(asked, answers, strict=True))

    def _remember(self, name: Place, records: Sequence[FaultRecord]) -> None:
        for record in records:
            self._place_of_id[record.id] = name
        for fault_id in [*self._place_of_id][:-KNOWN]:
            del self._place_of_id[fault_id]

    def _place_of(self, kind: str) -> Held:
        known = catalogue().get(kind)
        name: Place = "service" if known is None else known.place  # which says best what it does not know
        if name not in self._places:
            raise ControlRefused(409, "fault_unavailable", f"fault {kind!r} is unavailable here: {_MISSING[name]}")
        return self._places[name]

    def _doubtful(self, name: Place, error: ControlError) -> list[FaultRecord]:
        """Return what burned at a silent place when it last answered and may burn still."""
        why = "does not answer" if isinstance(error, ControlUnreachable) else "gives no answer that helps"
        doubt = f"its place {why}, so that it is not known whether it still burns: {error}"
        return [
            record.model_copy(update={"error": doubt})
            for record in self._last.get(name, ())
            if record.state == "active" and record.ends_at > self._now()
        ]
