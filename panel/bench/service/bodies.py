"""The requests that the benchmark sends, as bytes, made from what a service says of its models."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from faults.traffic.inputs import JSON, ModelInfo, make_inputs, read_model_info
from panel.bench.service.processes import Server, ServerFailed

SEED = 2026


def post(path: str, body: bytes, content_type: str = JSON) -> bytes:
    """Return a request as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode("ascii") + body


def usual_requests(server: Server) -> dict[str, list[bytes]]:
    """Return good requests for each model of a service: rows of numbers, pictures as uploads."""
    requests = {}
    for model in _told(server).models:
        inputs = make_inputs(model, random.Random(SEED))
        if inputs is None:
            raise ServerFailed(server.name, f"tells nothing to make inputs for {model.name} of", server.log)
        requests[model.name] = [post(f"/predict/{model.name}", body, inputs.content_type) for body in inputs.usual]
    return requests


def pixel_requests(server: Server) -> list[bytes]:
    """Return requests for the default model of a service that takes pictures, as rows of pixels."""
    info = _told(server)
    return [
        post("/predict", json.dumps({"pixels": _rows(example, model.input.shape[-1])}).encode())
        for model in info.models[:1]
        for example in model.examples
    ]


def tensor_requests(model: str, rows: Sequence[Sequence[float]]) -> list[bytes]:
    """Return requests of the Open Inference Protocol, one row each."""
    return [
        post(
            f"/v2/models/{model}/infer",
            json.dumps(
                {"inputs": [{"name": "features", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}
            ).encode(),
        )
        for row in rows
    ]


def row_requests(rows: Sequence[Sequence[float]]) -> list[bytes]:
    """Return requests for the default model, one row each."""
    return [post("/predict", json.dumps({"features": [row]}).encode()) for row in rows]


def _told(server: Server) -> ModelInfo:
    return read_model_info(server.get("/model-info"), server.url)


def _rows(values: Sequence[float], width: int) -> list[Sequence[float]]:
    return [values[start : start + width] for start in range(0, len(values), width)]
