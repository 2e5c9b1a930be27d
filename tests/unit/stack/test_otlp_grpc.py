"""OTLP/gRPC in: the real exporters, the limits and the status codes, and HTTP undisturbed beside it."""

from __future__ import annotations

import gzip
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CollectorRegistry
from tracestore_lab import Lab, export_of, running, span

from stack.clients.jaeger import JaegerClient
from stack.tracestore.errors import PortUnavailable
from stack.tracestore.grpc_receiver import GrpcReceiver
from stack.tracestore.limits import MIB, Limits
from stack.tracestore.logs import LogQuery
from stack.tracestore.store import TraceStore
from stack.tracestore.telemetry import StoreMetrics

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run a store that takes messages of up to 1 MiB."""
    with running(tmp_path_factory.mktemp("grpc"), Limits(max_payload_bytes=MIB)) as started:
        yield started


def call(lab: Lab, raw: bytes, method: str = TRACES, *, gzipped: bool = False) -> bytes:
    """Send a message as it is and return the answer's bytes; raise ``grpc.RpcError``."""
    with grpc.insecure_channel(lab.grpc) as channel:
        compression = grpc.Compression.Gzip if gzipped else None
        return bytes(channel.unary_unary(method)(raw, timeout=20, compression=compression))


def refused(lab: Lab, raw: bytes, method: str = TRACES, *, gzipped: bool = False) -> grpc.RpcError:
    """Send a message that the store will not take, and return its refusal."""
    with pytest.raises(grpc.RpcError) as caught:
        call(lab, raw, method, gzipped=gzipped)
    return caught.value


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=str)
def test_the_real_exporters_of_traces_and_logs_arrive(lab: Lab, compression: grpc.Compression) -> None:
    """Spans and log records of the OpenTelemetry SDK come over gRPC, and the records are found by their trace."""
    resource = Resource.create({"service.name": f"grpc-{compression.name}"})
    tracing, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans_out = OTLPSpanExporter(lab.grpc, insecure=True, compression=compression)
    logs_out = OTLPLogExporter(lab.grpc, insecure=True, compression=compression)
    tracing.add_span_processor(BatchSpanProcessor(spans_out))
    logs.add_log_record_processor(BatchLogRecordProcessor(logs_out))
    with tracing.get_tracer("test").start_as_current_span("outer", attributes={"n": 3}) as outer:
        logs.get_logger("test").emit(
            severity_number=SeverityNumber.WARN, severity_text="WARN", body="it is warm", attributes={"degrees": 31}
        )
    assert tracing.force_flush()
    assert logs.force_flush()
    context = outer.get_span_context()
    with JaegerClient(lab.url) as client:
        [found] = client.trace(format(context.trace_id, "032x")).spans
    assert (found.operation, found.service, found.tags["n"]) == ("outer", f"grpc-{compression.name}", "3")
    [record] = lab.logs_of(context.trace_id.to_bytes(16))
    assert (record.body, record.severity_text, record.severity_number) == ("it is warm", "WARN", 13)
    assert (record.span_id, record.service) == (format(context.span_id, "016x"), f"grpc-{compression.name}")
    assert record.attributes["degrees"] == 31
    assert lab.search_logs(LogQuery(service=f"grpc-{compression.name}", text="warm")) == (record,)


def test_full_success_is_an_empty_answer_and_a_partial_one_says_what_is_missing(lab: Lab) -> None:
    """As over HTTP, spans without valid ids are left out and counted in ``partial_success``."""
    assert call(lab, export_of(span()).SerializeToString()) == b""
    assert call(lab, b"") == b""
    bad = span()
    bad.trace_id = b"\0" * 16
    answer = ExportTraceServiceResponse.FromString(call(lab, export_of(span(), bad).SerializeToString()))
    assert answer.partial_success.rejected_spans == 1
    assert "trace id" in answer.partial_success.error_message
    assert lab.value("tracestore_dropped_items_total", signal="traces", reason="invalid_id") == 1


@pytest.mark.parametrize("method", [TRACES, LOGS], ids=["traces", "logs"])
@pytest.mark.parametrize("kind", ["noise", "text", "truncated"])
def test_bad_data_is_an_invalid_argument(lab: Lab, kind: str, method: str) -> None:
    """A message that cannot be read is refused for good, so that exporters do not send it again."""
    truncated = export_of(span()).SerializeToString()[:-3]
    raw = {"noise": b"\xff" * 40, "text": b"no protobuf", "truncated": truncated}[kind]
    error = refused(lab, raw, method)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "not a valid OTLP" in error.details()


def test_a_large_message_is_refused_before_and_after_decompression(lab: Lab) -> None:
    """What passes the limit, a gzip bomb too, is ``RESOURCE_EXHAUSTED`` without a promise that retrying helps."""
    for raw, gzipped in ((os.urandom(MIB + 1), False), (b"\0" * (40 * MIB), True)):
        assert len(gzip.compress(raw)) < MIB or not gzipped
        error = refused(lab, raw, gzipped=gzipped)
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" not in dict(error.trailing_metadata() or ())
    assert call(lab, export_of(span()).SerializeToString()) == b""


def test_a_method_that_is_not_there_is_unimplemented(lab: Lab) -> None:
    """Metrics have no home here."""
    error = refused(lab, b"", "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export")
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def test_more_than_fits_is_unavailable_with_a_time_to_come_back(tmp_path: Path) -> None:
    """When exports come faster than the disk takes them, exporters hear when to try again, and nothing is lost."""
    raw = export_of(*(span(noise=os.urandom(1000).hex()) for _ in range(500))).SerializeToString()
    taken: list[int] = []
    errors: list[grpc.RpcError] = []

    def export(lab: Lab) -> None:
        for _ in range(5):
            try:
                call(lab, raw)
                taken.append(500)
            except grpc.RpcError as error:
                errors.append(error)

    with running(tmp_path, Limits(max_pending_bytes=len(raw) + 1)) as lab:
        exporters = [threading.Thread(target=export, args=(lab,)) for _ in range(8)]
        for exporter in exporters:
            exporter.start()
        for exporter in exporters:
            exporter.join(60)
        assert lab.value("tracestore_stored_items", signal="traces") == sum(taken) > 0
    assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}
    details = Status.FromString(dict(errors[0].trailing_metadata())["grpc-status-details-bin"])
    info = RetryInfo()
    assert details.details[0].Unpack(info)
    assert info.retry_delay.seconds == 1


def test_http_answers_while_many_calls_wait(lab: Lab) -> None:
    """Calls that pour in over gRPC do not keep HTTP from storing."""
    raw = export_of(*(span(noise=os.urandom(50).hex()) for _ in range(500))).SerializeToString()
    before = lab.value("tracestore_export_requests_total", signal="traces", status="OK")
    done = threading.Event()

    def pour() -> None:
        with grpc.insecure_channel(lab.grpc) as channel:
            while not done.is_set():
                channel.unary_unary(TRACES)(raw, timeout=30)

    pourers = [threading.Thread(target=pour) for _ in range(3)]
    for pourer in pourers:
        pourer.start()
    try:
        for _ in range(20):
            lab.send(export_of(span()))
    finally:
        done.set()
        for pourer in pourers:
            pourer.join(60)
    assert lab.value("tracestore_export_requests_total", signal="traces", status="OK") > before


def test_a_taken_port_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The message says which address, and nothing else is written."""
    metrics = StoreMetrics(CollectorRegistry())
    receiver = GrpcReceiver(TraceStore(tmp_path / "traces.db", Limits(), metrics), metrics)
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortUnavailable, match=f"127.0.0.1:{port}"):
            receiver.bind("127.0.0.1", port)
    assert capfd.readouterr().err == ""
