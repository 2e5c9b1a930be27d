"""The benchmark of the trace store's ingest, short: real processes, nothing lost, figures that follow from the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from panel.bench.stack import ingest
from panel.bench.stack.batches import BATCH, Batches
from panel.bench.stack.store import trace_store
from panel.commands.console import CommandError
from tests.levels import thorough


def test_batches_are_exports_of_512_spans_that_share_no_trace() -> None:
    """Every body parses, is full, and no trace id comes twice."""
    batches, seen = Batches(kinds=2), set()
    for _ in range(5):
        spans = TracesData.FromString(batches.next()).resource_spans[0].scope_spans[0].spans
        assert len(spans) == BATCH
        ids = {span.trace_id for span in spans}
        assert {len(trace_id) for trace_id in ids} == {16}
        assert not ids & seen
        seen |= ids


@thorough
def test_a_short_run_loses_nothing_and_says_what_it_did() -> None:
    """After a kill the store has every acknowledged span, over HTTP and gRPC; rate, memory and size are told."""
    said: list[str] = []
    figures = {figure.figure: figure for figure in ingest.measure_ingest(said.append, load_s=1.0, beside_s=1.0)}
    assert figures["spans acknowledged and not found after a kill -9"].value == 0
    assert figures["spans sent"].value is not None
    assert figures["spans sent"].value >= 2 * BATCH
    assert figures["spans sent"].value % BATCH == 0
    assert all(figure.value is not None and figure.value >= 0 for figure in figures.values())
    assert 50 < (figures["bytes on disk for each span"].value or 0) < 2000
    assert len(said) == 3


def test_an_answer_that_is_no_success_ends_the_benchmark(tmp_path: Path) -> None:
    """A store that refuses is no basis for a figure; the message has its words."""

    class Broken(Batches):
        def next(self) -> bytes:
            return b"no protobuf"

    with trace_store(tmp_path) as store:
        for connect in (ingest._http, ingest._grpc):
            with pytest.raises(CommandError, match="not a valid OTLP"):
                ingest._load(store, Broken(kinds=1), connect, 5.0)
