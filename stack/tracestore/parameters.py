"""The query parameters of Jaeger's APIs, v1 and v3: from text to a ``TraceQuery``. Reads no store.

Source: ``query_parser.go`` of Jaeger 2.20's query extension and of its ``apiv3`` package; the words of the errors are
Jaeger's. Where Jaeger fails with a 500 (a limit below 1), this is a ``BadQuery``, too.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import datetime

from starlette.datastructures import QueryParams

from stack.tracestore.durations import parse_go_duration
from stack.tracestore.errors import BadQuery
from stack.tracestore.model import TraceQuery

DEFAULT_LIMIT = 100
MOST_TRACES = 1500
"""The largest limit that Jaeger's own page offers; more is cut to it."""
DEFAULT_LOOKBACK_NS = 2 * 86_400_000_000_000
_MOST_NS = 2**63 - 1
_INTEGER = re.compile(r"[+-]?[0-9]{1,25}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})"
)
_TRUE, _FALSE = ({"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"})
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def parse_trace_id(text: str) -> bytes:
    """Return the 16 bytes of a trace id: up to 32 hex digits (right-aligned), or base64 of 8 or 16 bytes.

    Raises ``BadQuery``.
    """
    if 0 < len(text) <= 32 and _HEX_DIGITS.issuperset(text):
        return bytes.fromhex(text.zfill(32))
    if 0 < len(text) <= 24:
        decoded = _base64(text)
        if len(decoded) in {8, 16}:
            return decoded.rjust(16, b"\0")
    raise BadQuery(f"cannot parse traceID param: {text[:64]!r} is not a trace id of up to 32 hexadecimal digits")


def parse_query(parameters: QueryParams, now_s: float, *, service_required: bool = True) -> TraceQuery:
    """Return the search that v1 parameters ask for. Raises ``BadQuery``.

    ``start`` and ``end`` are microseconds since the epoch, durations Go strings, ``tags`` a JSON object of strings (or
    repeated ``tag=key:value``). ``lookback`` counts only where there is no ``start``.
    """
    service = parameters.get("service", "")
    if service_required and not service:
        raise BadQuery("parameter 'service' is required")
    now_ns = int(now_s * 1e9)
    end_ns = _since_epoch(parameters, "end", 1000)
    start_ns = _since_epoch(parameters, "start", 1000)
    shortest_ns, longest_ns = (_duration(parameters, name) for name in ("minDuration", "maxDuration"))
    raw = parameters.get("raw", "")
    if raw and raw not in _TRUE | _FALSE:
        raise BadQuery.unparsable("raw", _no_bool(raw))
    if shortest_ns and longest_ns and longest_ns < shortest_ns:
        raise BadQuery("'maxDuration' should be greater than 'minDuration'")
    return TraceQuery(
        service=service or None,
        operation=parameters.get("operation") or None,
        tags=tuple(_tags(parameters).items()),
        start_ns=now_ns - _lookback_ns(parameters) if start_ns is None else start_ns,
        end_ns=now_ns if end_ns is None else end_ns,
        shortest_ns=shortest_ns or None,
        longest_ns=longest_ns or None,
        limit=_limit(parameters, "limit", BadQuery.unparsable),
    )


def parse_v3_query(parameters: QueryParams) -> TraceQuery:
    """Return the search that v3 parameters ask for, in camel case or in the older snake case. Raises ``BadQuery``.

    Times are RFC 3339 and both are required, durations Go strings, ``query.attributes`` a JSON object of strings.
    """
    service, _ = either(parameters, "query.serviceName", "query.service_name")
    operation, _ = either(parameters, "query.operationName", "query.operation_name")
    attributes: dict[str, str] = {}
    if text := parameters.get("query.attributes"):
        attributes = _string_map(text, "malformed parameter query.attributes")
    earliest, earliest_name = either(parameters, "query.startTimeMin", "query.start_time_min")
    latest, latest_name = either(parameters, "query.startTimeMax", "query.start_time_max")
    if not earliest or not latest:
        raise BadQuery("query.startTimeMin and query.startTimeMax are required")
    start_ns, end_ns = parse_rfc3339(earliest, earliest_name), parse_rfc3339(latest, latest_name)
    if start_ns >= end_ns:
        raise BadQuery("query.startTimeMin must be before query.startTimeMax")
    depth, depth_name = either(parameters, "query.searchDepth", "query.search_depth")
    limit = _limit(parameters, depth_name if depth else "query.num_traces", BadQuery.malformed)
    shortest_ns = _v3_duration(parameters, "query.durationMin", "query.duration_min")
    longest_ns = _v3_duration(parameters, "query.durationMax", "query.duration_max")
    parse_v3_bool(parameters, "query.rawTraces", "query.raw_traces")
    return TraceQuery(
        service=service or None,
        operation=operation or None,
        tags=tuple(attributes.items()),
        start_ns=min(max(0, start_ns), _MOST_NS),
        end_ns=min(max(0, end_ns), _MOST_NS),
        shortest_ns=shortest_ns or None,
        longest_ns=longest_ns or None,
        limit=limit,
    )


def either(parameters: QueryParams, name: str, older_name: str) -> tuple[str, str]:
    """Return the value of a v3 parameter and the name by which it was given."""
    value = parameters.get(name, "")
    return (value, name) if value else (parameters.get(older_name, ""), older_name)


def parse_rfc3339(text: str, parameter: str) -> int:
    """Return the nanoseconds since the epoch of a time such as ``2026-01-02T15:04:05.999Z``. Raises ``BadQuery``."""
    parts = _RFC3339.fullmatch(text)
    moment = None if parts is None else _moment(f"{parts[1]}{parts[3].replace('Z', '+00:00')}")
    if parts is None or moment is None:
        reason = f'parsing time "{text[:64]}": not RFC 3339, such as 2026-01-02T15:04:05.999Z'
        raise BadQuery.malformed(parameter, reason)
    whole = moment - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (whole.days * 86_400 + whole.seconds) * 1_000_000_000 + int(f"{parts[2] or '0':0<9}"[:9])


def parse_v3_bool(parameters: QueryParams, name: str, older_name: str) -> bool:
    """Return a v3 parameter that Go's ``ParseBool`` would read; without it, false. Raises ``BadQuery``."""
    text, given = either(parameters, name, older_name)
    if text and text not in _TRUE | _FALSE:
        raise BadQuery.malformed(given, _no_bool(text))
    return text in _TRUE


def parse_dependency_window(parameters: QueryParams, now_s: float) -> tuple[int, int]:
    """Return from when to when (nanoseconds) dependencies are asked for: ``endTs`` and ``lookback``, milliseconds.

    Raises ``BadQuery``. Without them: the day until now.
    """
    end_ns = _since_epoch(parameters, "endTs", 1_000_000)
    lookback_ns = _since_epoch(parameters, "lookback", 1_000_000)
    end_ns = int(now_s * 1e9) if end_ns is None else end_ns
    return max(0, end_ns - (86_400_000_000_000 if lookback_ns is None else lookback_ns)), end_ns


def integer(text: str) -> int | None:
    """Return the whole number that a text is in Go's notation, else ``None``; never the many forms of Python's."""
    return int(text) if _INTEGER.fullmatch(text) else None


def _no_bool(text: str) -> str:
    return f'strconv.ParseBool: parsing "{text[:64]}": invalid syntax'


def _limit(parameters: QueryParams, name: str, refusal: Callable[[str, str], BadQuery]) -> int:
    text = parameters.get(name, "")
    if not text:
        return DEFAULT_LIMIT
    limit = integer(text)
    if limit is None:
        raise refusal(name, f"{text[:64]!r} is not an integer")
    if limit < 1:
        raise refusal(name, f"{limit} is not positive")
    return min(limit, MOST_TRACES)


def _since_epoch(parameters: QueryParams, name: str, unit_ns: int) -> int | None:
    text = parameters.get(name, "")
    if not text:
        return None
    number = integer(text)
    if number is None:
        unit = {1000: "microseconds", 1_000_000: "milliseconds"}[unit_ns]
        raise BadQuery.unparsable(name, f"{text[:64]!r} is not an integer of {unit}")
    return max(0, min(number * unit_ns, _MOST_NS))


def _duration(parameters: QueryParams, name: str) -> int:
    text = parameters.get(name, "")
    return parse_go_duration(text, name) if text else 0


def _v3_duration(parameters: QueryParams, name: str, older_name: str) -> int:
    text, given = either(parameters, name, older_name)
    try:
        return parse_go_duration(text, given) if text else 0
    except BadQuery:
        raise BadQuery.malformed(given, f'time: invalid duration "{text[:64]}"') from None


def _lookback_ns(parameters: QueryParams) -> int:
    text = parameters.get("lookback", "")
    if text in {"", "custom"}:
        return DEFAULT_LOOKBACK_NS
    return parse_go_duration(text, "lookback", days=True)


def _tags(parameters: QueryParams) -> dict[str, str]:
    """Return the tags to match: ``tag=key:value`` (repeated) and ``tags={"key":"value"}``."""
    tags: dict[str, str] = {}
    for text in parameters.getlist("tag"):
        key, colon, value = text.partition(":")
        if not colon:
            raise BadQuery(f"malformed 'tag' parameter, expecting key:value, received: {text[:64]}")
        tags[key] = value
    for text in filter(None, parameters.getlist("tags")):
        tags.update(_string_map(text, "malformed 'tags' parameter, cannot unmarshal JSON"))
    return tags


def _string_map(text: str, complaint: str) -> dict[str, str]:
    """Return a JSON object of strings, which may also be null; raise ``BadQuery`` that begins with ``complaint``."""
    try:
        given: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadQuery(f"{complaint}: {error}") from None
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadQuery(f"{complaint}: expecting an object of strings")
    found: dict[str, str] = {}
    for key, value in given.items():
        if not isinstance(value, str):
            raise BadQuery(f"{complaint}: expecting an object of strings, but {key[:64]!r} is none")
        found[key] = value
    return found


def _moment(text: str) -> datetime | None:
    """Return a time in ISO 8601, ``None`` where there is no such day or hour."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _base64(text: str) -> bytes:
    """Return what base64 of either alphabet holds, padded or not; nothing where it is none."""
    digits = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        return b""
