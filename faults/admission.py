"""What is checked before a fault is lit: that its kind exists, fits this process, and takes the values given."""

from __future__ import annotations

import random

from pydantic import ValidationError

from faults.base import Fault, FaultKind, FaultRequest, Host, Parameters, Point, kind_named
from faults.errors import BadFaultRequest, FaultUnavailable


def describe(kind: type[Fault[Parameters]], host: Host) -> FaultKind:
    """Return what the control endpoint says of ``kind``, and whether ``host`` offers what it needs."""
    unavailable = "it needs a service with models" if kind.needs_models and not host.models else None
    return FaultKind(
        kind=kind.kind,
        title=kind.title,
        summary=kind.summary,
        clock=kind.clock,
        schema_=kind.parameters_type.model_json_schema(),
        effect=kind.effect,
        presets=dict(kind.presets),
        available=unavailable is None,
        unavailable_because=unavailable,
    )


def admit(request: FaultRequest, host: Host, seed: int) -> tuple[Fault[Parameters], frozenset[Point]]:
    """Return the fault that ``request`` asks for, not yet applied, and the points where it acts.

    Raises ``UnknownFaultKind``, ``BadFaultRequest`` or ``FaultUnavailable``.
    """
    kind = kind_named(request.kind)
    if kind.needs_models and not host.models:
        raise FaultUnavailable(request.kind, "a service with models")
    try:
        parameters = kind.parameters_type.model_validate(request.parameters)
    except ValidationError as error:
        raise BadFaultRequest(request.kind, problems(error, "parameters")) from None
    if request.target.model is not None and request.target.model not in host.models:
        known = ", ".join(host.models) or "none"
        raise BadFaultRequest(request.kind, [f"target.model: no model {request.target.model!r}; models: {known}"])
    fault = kind(parameters, request.target, random.Random(f"{seed}/draws"))
    points = fault.points(host)
    if not host.models and points != {"request"}:
        raise FaultUnavailable(request.kind, f"a prediction pipeline (it acts on: {', '.join(sorted(points))})")
    if request.target.endpoint is not None and points == {"load"}:
        raise BadFaultRequest(request.kind, ["target.endpoint: it acts on model loads, which have no endpoint"])
    return fault, points


def draw_id(kind: str, rng: random.Random) -> str:
    """Return a name for a fault of ``kind``."""
    return f"{kind.replace('_', '-')}-{rng.getrandbits(32):08x}"


def problems(error: ValidationError, root: str) -> tuple[str, ...]:
    """Return one line for each problem: where (``root`` for the whole) and what."""
    found = error.errors(include_url=False)
    return tuple(f"{'.'.join(map(str, problem['loc'])) or root}: {problem['msg']}" for problem in found)
