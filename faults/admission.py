"""What is checked before a fault is lit: that its kind exists, fits this process, and takes the values given."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pydantic import JsonValue, ValidationError

from faults.base import Fault, FaultKind, FaultRequest, Host, Parameters, Point, kind_named
from faults.errors import BadFaultRequest, FaultUnavailable
from faults.limits import UNLIMITED, Limits


def describe(kind: type[Fault[Parameters]], host: Host, limits: Limits = UNLIMITED) -> FaultKind:
    """Return what the control endpoint says of ``kind`` within ``limits``, and whether ``host`` can bring it about."""
    unavailable, limit = _unavailable(kind, host, limits), limits.of(kind.kind)
    schema: dict[str, JsonValue] = kind.parameters_type.model_json_schema()
    return FaultKind(
        kind=kind.kind,
        title=kind.title,
        summary=kind.summary,
        clock=kind.clock,
        place=kind.place,
        restarts=kind.restarts,
        schema_=limit.tightened(schema),
        effect=kind.effect,
        presets=limit.fitting(kind.presets, schema),
        available=unavailable is None,
        unavailable_because=unavailable,
        max_ttl_s=limit.max_ttl_s,
        max_probability=limit.max_probability,
        allowed_models=None if limit.models is None else list(limit.models),
        allowed_endpoints=None if limit.endpoints is None else list(limit.endpoints),
    )


def admit(
    request: FaultRequest, host: Host, seed: int, limits: Limits = UNLIMITED
) -> tuple[Fault[Parameters], frozenset[Point]]:
    """Return the fault that ``request`` asks for, not yet applied, and the points where it acts.

    Raises ``UnknownFaultKind``, ``BadFaultRequest`` or ``FaultUnavailable``.
    """
    kind = kind_named(request.kind)
    if kind.place != host.place:
        raise FaultUnavailable(request.kind, f"it belongs to the {kind.place} process, this is the {host.place}")
    if (unavailable := _unavailable(kind, host, limits)) is not None:
        raise FaultUnavailable(request.kind, unavailable)
    limit = limits.of(request.kind)
    given = request.parameters
    if limit.parameters:
        given = limit.with_defaults(kind.parameters_type.model_json_schema(), given)
    try:
        parameters = kind.parameters_type.model_validate(given)
    except ValidationError as error:
        raise BadFaultRequest(request.kind, problems(error, "parameters")) from None
    beyond = tuple(limit.problems(request, parameters.model_dump(mode="json"), kind.endpoint))
    if beyond:
        raise BadFaultRequest(request.kind, [f"{one}, by the operator's limits ({limits.source})" for one in beyond])
    if request.target.model is not None and request.target.model not in host.models:
        known = ", ".join(host.models) or "none"
        raise BadFaultRequest(request.kind, [f"target.model: no model {request.target.model!r}; models: {known}"])
    fault = kind(parameters, request.target, random.Random(f"{seed}/draws"))
    points = fault.points(host)
    if not host.models and not points <= {"request"}:
        seams = ", ".join(sorted(points))
        raise FaultUnavailable(request.kind, f"it needs a prediction pipeline (it acts on: {seams})")
    if misfits := tuple(_misfits(request, points)):
        raise BadFaultRequest(request.kind, misfits)
    return fault, points


def _misfits(request: FaultRequest, points: frozenset[Point]) -> Iterator[str]:
    """Yield what ``request`` says that a fault which acts at ``points`` alone could not keep."""
    if request.target.endpoint is not None and points <= {"load", "spans"}:
        yield "target.endpoint: it acts on no requests, so that no endpoint can be named"
    if request.target.model is not None and points <= {"spans"}:
        yield "target.model: it acts on the whole process, not on a model"
    if not points and (request.probability < 1.0 or request.ramp_s):
        yield "it acts as a whole, not on a share of calls; leave probability at 1 and ramp_s at 0"


def _unavailable(kind: type[Fault[Parameters]], host: Host, limits: Limits) -> str | None:
    if limits.of(kind.kind).forbidden:
        return f"the operator's limits forbid it ({limits.source})"
    return kind.unavailable(host)


def draw_id(kind: str, rng: random.Random) -> str:
    """Return a name for a fault of ``kind``."""
    return f"{kind.replace('_', '-')}-{rng.getrandbits(32):08x}"


def problems(error: ValidationError, root: str) -> tuple[str, ...]:
    """Return one line for each problem: where (``root`` for the whole) and what."""
    found = error.errors(include_url=False)
    return tuple(f"{'.'.join(map(str, problem['loc'])) or root}: {problem['msg']}" for problem in found)
