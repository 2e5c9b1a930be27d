"""OTLP/HTTP bodies: from bytes to messages and from outcomes to answers. No sockets, no storage.

Source: the OpenTelemetry Protocol specification 1.x, sections "OTLP/HTTP" and "JSON Protobuf Encoding".
"""

from __future__ import annotations

import binascii
import json
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from stack.tracestore.errors import MalformedPayload, PayloadTooLarge, UnsupportedPayload

Signal = Literal["traces", "logs"]
Format = Literal["protobuf", "json"]
Coding = Literal["gzip", "identity"]
SIGNALS: tuple[Signal, ...] = ("traces", "logs")

MEDIA_TYPES: dict[str, Format] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_IDS = frozenset({"traceId", "spanId", "parentSpanId"})
_FIRST_READ = 4 * 1024 * 1024


@dataclass(frozen=True)
class Export:
    """One valid export: the message, its bytes, and what of it had to be left out."""

    signal: Signal
    data: TracesData | LogsData
    body: bytes
    items: int
    rejected: int = 0
    reason: str = ""


def format_of(content_type: str | None) -> Format:
    """Return the format that a Content-Type header names, else raise ``UnsupportedPayload``."""
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type not in MEDIA_TYPES:
        raise UnsupportedPayload("Content-Type", content_type or "", ", ".join(MEDIA_TYPES))
    return MEDIA_TYPES[media_type]


def coding_of(content_encoding: str | None) -> Coding:
    """Return the coding that a Content-Encoding header names, else raise ``UnsupportedPayload``."""
    coding = (content_encoding or "identity").strip().lower()
    if coding == "gzip":
        return "gzip"
    if coding == "identity":
        return "identity"
    raise UnsupportedPayload("Content-Encoding", coding, "gzip, identity")


def gunzip(raw: bytes, signal: Signal, limit: int) -> bytes:
    """Return the decompressed body, never more than ``limit`` bytes of it: a bomb ends as ``PayloadTooLarge``."""
    parts: list[bytes] = []
    size = 0
    rest = raw
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while not member.eof:
                part = member.decompress(rest, min(_FIRST_READ, limit + 1 - size))
                if not part and not member.unconsumed_tail and not member.eof:
                    raise MalformedPayload(signal, "the gzip stream ends too early")
                size += len(part)
                if size > limit:
                    raise PayloadTooLarge(limit)
                parts.append(part)
                rest = member.unconsumed_tail
        except zlib.error as error:
            raise MalformedPayload(signal, f"the gzip stream is damaged ({error})") from None
        rest = member.unused_data
    return b"".join(parts)


def parse(signal: Signal, body: bytes, form: Format) -> Export:
    """Return the export that a decompressed body holds; spans without valid ids are left out and counted.

    Raises ``MalformedPayload``.
    """
    data = TracesData() if signal == "traces" else LogsData()
    if form == "protobuf":
        try:
            data.ParseFromString(body)
        except DecodeError as error:
            raise MalformedPayload(signal, str(error)) from None
    else:
        _parse_json(signal, body, data)
        body = data.SerializeToString()
    if isinstance(data, LogsData):
        items = sum(len(scope.log_records) for resource in data.resource_logs for scope in resource.scope_logs)
        return Export(signal, data, body, items)
    rejected = _drop_invalid(data)
    items = sum(len(scope.spans) for resource in data.resource_spans for scope in resource.scope_spans)
    if not rejected:
        return Export(signal, data, body, items)
    reason = "a span needs a trace id of 16 bytes and a span id of 8 bytes, neither all zero"
    return Export(signal, data, data.SerializeToString(), items, rejected, reason)


def answer(signal: Signal, rejected: int, reason: str, form: Format) -> bytes:
    """Return the body of a 200: ``partial_success`` is unset when everything was taken."""
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        if rejected:
            traces.partial_success.rejected_spans = rejected
            traces.partial_success.error_message = reason
        return _encode(traces, form)
    logs = ExportLogsServiceResponse()
    if rejected:
        logs.partial_success.rejected_log_records = rejected
        logs.partial_success.error_message = reason
    return _encode(logs, form)


def failure(code: int, message: str, form: Format) -> bytes:
    """Return the body of an error answer: a ``google.rpc.Status`` with a gRPC code."""
    return _encode(Status(code=code, message=message), form)


def _encode(message: Message, form: Format) -> bytes:
    if form == "protobuf":
        return bytes(message.SerializeToString())
    return str(MessageToJson(message, indent=None)).encode()


def _drop_invalid(data: TracesData) -> int:
    """Remove the spans whose ids are not valid; return how many they were."""
    rejected = 0
    for resource in data.resource_spans:
        for scope in resource.scope_spans:
            bad = [
                place
                for place, span in enumerate(scope.spans)
                if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id)
            ]
            for place in reversed(bad):
                del scope.spans[place]
            rejected += len(bad)
    return rejected


def _parse_json(signal: Signal, body: bytes, data: Message) -> None:
    """Fill ``data`` from OTLP's JSON: ids in hex where protobuf's own JSON has base64, unknown fields ignored."""
    try:
        document: object = json.loads(body)
        if not isinstance(document, dict):
            raise MalformedPayload(signal, "the JSON document is not an object")
        for record in _records(document, signal):
            _hex_to_base64(record)
        ParseDict(document, data, ignore_unknown_fields=True)
    except (ValueError, RecursionError, ParseError, TypeError, AttributeError) as error:
        raise MalformedPayload(signal, str(error) or type(error).__name__) from None


def _records(document: dict[str, object], signal: Signal) -> Iterator[dict[str, object]]:
    """Yield every JSON object that carries ids: spans, their links, log records."""
    for resource in _objects(document.get("resourceSpans" if signal == "traces" else "resourceLogs")):
        for scope in _objects(resource.get("scopeSpans" if signal == "traces" else "scopeLogs")):
            for record in _objects(scope.get("spans" if signal == "traces" else "logRecords")):
                yield record
                yield from _objects(record.get("links"))


def _objects(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _hex_to_base64(record: dict[str, object]) -> None:
    for key in _IDS & record.keys():
        text = record[key]
        if isinstance(text, str):
            try:
                record[key] = b64encode(binascii.unhexlify(text)).decode("ascii")
            except ValueError:
                raise ValueError(f"{key} {text[:64]!r} is not hexadecimal") from None
