"""One fault while it burns: its dice, its target, its pauses and what is said of it. The injector owns them all."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import JsonValue

from faults.base import CallInfo, EndReason, Fault, FaultRecord, Parameters, Point, Target

_PLACEHOLDER = re.compile(r"\{[^/{}]*\}")
_WILDCARDS = re.compile(r"(\*|\?|\{[^/{}]*\})")


def endpoint_pattern(glob: str) -> re.Pattern[str]:
    """Compile ``glob``: ``*`` any characters, ``?`` one character, ``{name}`` one path segment, as in a template."""
    meanings = {"*": ".*", "?": "."}
    pieces = [
        "[^/]+" if _PLACEHOLDER.fullmatch(piece) else meanings.get(piece) or re.escape(piece)
        for piece in _WILDCARDS.split(glob)
    ]
    return re.compile("".join(pieces), re.DOTALL)


@dataclass(eq=False)
class ActiveFault:
    """One applied fault. ``dice`` decides which calls are hit; the fault's own draws have a stream of their own."""

    id: str
    fault: Fault[Parameters]
    target: Target
    probability: float
    ttl_s: float
    seed: int
    points: frozenset[Point]
    started_at: float
    clock: Callable[[], float]
    """Seconds that never go back: the event loop's own time, which the ramp goes by."""
    ramp_s: float = 0.0
    dead_man_s: float | None = None
    injections: int = 0
    ended_at: float | None = None
    end_reason: EndReason | None = None
    error: str | None = None
    out: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the moment the fault stops acting, before its rollback."""

    def __post_init__(self) -> None:
        self.shown: dict[str, JsonValue] = self.fault.parameters.model_dump(mode="json")
        self._dice = random.Random(self.seed)
        self._lit_at = self.clock()
        self.only_endpoint = self.target.endpoint or self.fault.endpoint
        self._endpoint = endpoint_pattern(self.only_endpoint) if self.only_endpoint else None

    def hits(self, call: CallInfo) -> bool:
        """Decide whether this call at a seam is hit: still active, in the target, and the dice say so."""
        if self.out.is_set() or self.target.model not in (None, call.model):
            return False
        if self._endpoint is not None:
            path = _PLACEHOLDER.sub(lambda _: call.model, call.endpoint) if "{" in call.endpoint else call.endpoint
            if self._endpoint.fullmatch(path) is None:
                return False
        return self._roll()

    def hits_load(self, model: str) -> bool:
        """Decide whether this load of ``model`` is hit; loads have no endpoint."""
        return not self.out.is_set() and self.target.model in (None, model) and self._roll()

    def hits_span(self) -> bool:
        """Decide whether a finished span is hit; a span on its way out has neither model nor endpoint."""
        return not self.out.is_set() and self._roll()

    def _roll(self) -> bool:
        share = self.share()
        return (share >= 1.0 and not self.ramp_s) or self._dice.random() < share

    def share(self) -> float:
        """Return the probability of this moment: it rises evenly from 0 while the ramp lasts."""
        if not self.ramp_s:
            return self.probability
        return self.probability * min(1.0, (self.clock() - self._lit_at) / self.ramp_s)

    async def pause(self, seconds: float) -> None:
        """Wait ``seconds``, or until this fault is put out, whichever comes first."""
        if seconds <= 0.0:
            return
        try:
            async with asyncio.timeout(seconds):
                await self.out.wait()
        except TimeoutError:
            return

    def record(self) -> FaultRecord:
        """Return what the control endpoint says of this fault now."""
        return FaultRecord(
            id=self.id,
            kind=self.fault.kind,
            parameters=self.shown,
            target=self.target,
            probability=self.probability,
            ttl_s=self.ttl_s,
            seed=self.seed,
            place=self.fault.place,
            ramp_s=self.ramp_s,
            dead_man_s=self.dead_man_s,
            state="active" if self.ended_at is None else "ended",
            started_at=self.started_at,
            ends_at=self.started_at + self.ttl_s,
            ended_at=self.ended_at,
            end_reason=self.end_reason,
            injections=self.injections,
            error=self.error,
        )
