"""What the active faults do at the seams of an app: whom they hit, in which order, and how often they acted.

The injector says which faults are active. Nothing here lights or ends one, waits by itself, or knows HTTP.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import JsonValue

from faults.active import ActiveFault
from faults.base import CallInfo, FeatureInfo, Output, Point, Reply, Rows
from faults.hosts import Picture


@dataclass(frozen=True)
class Injection:
    """One act of one fault, as it is told to ``on_injection`` just before it acts."""

    fault_id: str
    kind: str
    point: Point | Literal["host"]
    """``host``: on what the host is or can do, not on a call."""
    parameters: Mapping[str, JsonValue]


class Acts:
    """The seams, with the faults that act at each of them."""

    def __init__(self, exempt: frozenset[str], on_injection: Callable[[Injection], None] | None) -> None:
        self._exempt, self._on_injection = exempt, on_injection
        self._at: dict[str, tuple[ActiveFault, ...]] = {}
        self._injections: Counter[str] = Counter()

    def injections(self) -> Mapping[str, int]:
        """Return how often each kind has acted since the start; kinds that never did are absent."""
        return MappingProxyType(self._injections)

    @property
    def acts_on_requests(self) -> bool:
        """Whether any active fault acts on HTTP requests."""
        return "request" in self._at

    def acts_at(self, point: Point) -> bool:
        """Whether any active fault acts at ``point``."""
        return point in self._at

    async def request(self, call: CallInfo) -> Reply | None:
        """Let the active faults act on an HTTP request; return the answer to give in the app's place, if any."""
        exempt = call.endpoint in self._exempt
        for fault in self._at.get("request", ()):
            if exempt and fault.only_endpoint != call.endpoint:
                continue
            if fault.hits(call):
                self._count(fault, "request")
                if (reply := await fault.fault.on_request(call, fault.pause)) is not None:
                    return reply
        return None

    async def stage(self, stage: str, call: CallInfo) -> None:
        """Let the active faults act inside the stage ``stage`` of a prediction."""
        for fault in self._at.get(stage, ()):
            if fault.hits(call):
                self._count(fault, stage)  # type: ignore[arg-type]  # _at has no key that is not a Point
                await fault.fault.on_stage(stage, call, fault.pause)

    def inputs(self, call: CallInfo, rows: Rows, features: Sequence[FeatureInfo]) -> Rows:
        """Return the rows (n_rows x n_features) that the active faults leave of ``rows``."""
        for fault in self._at.get("inputs", ()):
            if fault.hits(call):
                self._count(fault, "inputs")
                rows = fault.fault.on_inputs(call, rows, features)
        return rows

    def pictures(self, call: CallInfo, pictures: Sequence[Picture]) -> Sequence[Picture]:
        """Return the pictures that the active faults leave of ``pictures``."""
        for fault in self._at.get("pictures", ()):
            if fault.hits(call):
                self._count(fault, "pictures")
                pictures = fault.fault.on_pictures(call, pictures)
        return pictures

    def predictions(self, call: CallInfo, output: Output) -> Output:
        """Return what the active faults leave of ``output``, which a model answered to one request."""
        for fault in self._at.get("predictions", ()):
            if fault.hits(call):
                self._count(fault, "predictions")
                output = fault.fault.on_predictions(call, output)
        return output

    def load(self, model: str, directory: Path) -> Path:
        """Return the artifact folder that the active faults put in the place of ``directory``."""
        for fault in self._at.get("load", ()):
            if fault.hits_load(model):
                self._count(fault, "load")
                directory = fault.fault.on_load(model, directory)
        return directory

    def span(self) -> bool:
        """Return whether the active faults let a finished span go on to whoever collects spans."""
        for fault in self._at.get("spans", ()):
            if fault.hits_span():
                self._count(fault, "spans")
                if not fault.fault.on_span():
                    return False
        return True

    def _route(self, active: Iterable[ActiveFault]) -> None:
        """Take ``active``, without those that are being put out, for the faults that act from now on."""
        faults = [fault for fault in active if not fault.out.is_set()]
        points = {point for fault in faults for point in fault.points}
        self._at = {point: tuple(fault for fault in faults if point in fault.points) for point in points}

    def _count(self, fault: ActiveFault, point: Point | Literal["host"]) -> None:
        fault.injections += 1
        self._injections[fault.fault.kind] += 1
        if self._on_injection is not None:
            self._on_injection(Injection(fault.id, fault.fault.kind, point, fault.shown))
