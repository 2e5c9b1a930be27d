"""Hostile bodies on every route that takes one: a refusal in the right shape, a counted error, no traceback."""

from __future__ import annotations

import asyncio
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import pytest
from PIL import Image
from service_bench import Bench

from service.models.profiles import profile_named

JSON = {"content-type": "application/json"}
FORM = {"content-type": "multipart/form-data; boundary=b"}
MODELS = ("iris", "churn", "housing", "exchange-rate", "digits")


@dataclass(frozen=True)
class Hostile:
    """A body and the statuses that are right for it."""

    body: bytes
    headers: Mapping[str, str]
    statuses: frozenset[int] = frozenset({422})


def _deep(depth: int) -> bytes:
    return b'{"features":' + b"[" * depth + b"1" + b"]" * depth + b"}"


def _upload(content: bytes, name: str = "file") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x.png"\r\n\r\n'.encode()
    return head + content + b"\r\n--b--\r\n"


def _png(width: int, height: int) -> bytes:
    """Return a PNG that says it has ``width`` × ``height`` pixels and holds next to none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def _whole_png() -> bytes:
    out = io.BytesIO()
    Image.new("L", (64, 64), 200).save(out, "PNG")
    return out.getvalue()


BODIES: Mapping[str, Hostile] = {
    "nothing": Hostile(b"", JSON),
    "half a body": Hostile(b'{"features": [[5.1', JSON),
    "not UTF-8": Hostile(b'{"features": "\xff\xfe"}', JSON),
    "a number": Hostile(b"5", JSON),
    "null": Hostile(b"null", JSON),
    "a list": Hostile(b"[[1,2,3,4]]", JSON),
    "no field": Hostile(b"{}", JSON),
    "another type": Hostile(b'{"features": {"a": 1}, "history": 3, "inputs": "x"}', JSON),
    "text for numbers": Hostile(b'{"features": [["1","2","3","4"]], "history": ["1","2","3"]}', JSON),
    "NaN": Hostile(b'{"features": [[NaN,NaN,NaN,NaN]], "history": [NaN,NaN,NaN]}', JSON),
    "infinite": Hostile(b'{"features": [[1e999,1,1,1]], "history": [-Infinity,1,1]}', JSON),
    "huge numbers": Hostile(b'{"features": [[' + b"9" * 400 + b",1,1,1]]}", JSON),
    "no rows": Hostile(b'{"features": [], "history": [], "inputs": []}', JSON),
    "too few": Hostile(b'{"features": [[1]], "history": [1]}', JSON),
    "too many": Hostile(json.dumps({"features": [[1.0] * 64], "history": [1.0] * 64}).encode(), JSON),
    "deep": Hostile(_deep(100_000), JSON),
    "10 MB": Hostile(b'{"features": [[' + b"1," * 5_000_000 + b"1]]}", JSON, frozenset({413, 422})),
    "odd tensors": Hostile(
        b'{"inputs": [{"name": "x", "shape": [-1, 4], "datatype": "FP64", "data": [[1], [2, 3]]}]}', JSON
    ),
    "tensor of another size": Hostile(
        b'{"inputs": [{"name": "x", "shape": [1000000, 1000000], "datatype": "FP64", "data": [1]}]}', JSON
    ),
    "tensor of another type": Hostile(
        b'{"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP128", "data": [1, 2, 3, 4]}]}', JSON
    ),
    "form without a file": Hostile(_upload(b"x", "other"), FORM),
    "form cut off": Hostile(_upload(_whole_png())[:90], FORM),
    "form without a boundary": Hostile(_upload(b"x"), {"content-type": "multipart/form-data"}),
    "text as a picture": Hostile(_upload(b"hello, I am a picture"), FORM),
    "empty picture": Hostile(_upload(b""), FORM),
    "half a picture": Hostile(_upload(_whole_png()[:60]), FORM),
    "bomb": Hostile(_upload(_png(50_000, 50_000)), FORM),
    "picture without pixels": Hostile(_upload(_png(0, 8)), FORM),
    "oversized picture": Hostile(_upload(bytes(11 * 2**20)), FORM, frozenset({413, 422})),
}


VERSIONS = {name: profile_named(name).version for name in MODELS}


def _routes(bench: Bench) -> list[tuple[str, str]]:
    """Return method and path of every operation that takes a body, models by name and one that nobody serves."""
    found: list[tuple[str, str]] = []
    for path, operations in bench.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if "requestBody" in operation and path != "/v2/repository/index":
                names = [*MODELS, "nobody"] if "{model}" in path else [""]
                found += [(method, path.format(model=name, version=VERSIONS.get(name, "1.0.0"))) for name in names]
    return found


@pytest.mark.parametrize("what", BODIES)
def test_a_hostile_body_is_refused(what: str, make: Callable[..., Bench], capsys: pytest.CaptureFixture[str]) -> None:
    """On every route the status is right, the body has the one error shape, and the error is counted once."""
    hostile = BODIES[what]
    bench = make(models=MODELS, log_level="info")

    async def scenario() -> None:
        async with bench.client() as client:
            routes = _routes(bench)
            assert {"/predict", "/predict/digits"} <= {path for _, path in routes}
            for method, path in routes:
                answer = await client.request(method, path, content=hostile.body, headers=dict(hostile.headers))
                expected = {404, 413, 422} if "nobody" in path else hostile.statuses
                assert answer.status_code in expected, (path, answer.status_code, answer.text[:300])
                assert len(answer.text) < 2000
                error = answer.json()["error"]
                if not path.startswith("/v2"):
                    assert set(error) == {"type", "message", "request_id"}
                    assert error["request_id"] == answer.headers["x-request-id"]
                else:
                    assert isinstance(error, str)
                assert "Traceback" not in answer.text
            assert _total(bench, "http_errors_total") == _total(bench, "http_requests_total") == len(routes)
            assert _total(bench, "model_inference_duration_seconds_count") == 0

    asyncio.run(scenario())
    logged = capsys.readouterr().out
    assert "Traceback" not in logged
    assert "unexpected_error" not in logged


def _total(bench: Bench, name: str) -> float:
    return sum(sample.value for family in bench.registry.collect() for sample in family.samples if sample.name == name)


def test_a_body_that_never_ends_is_cut_off(make: Callable[..., Bench]) -> None:
    """Of a stream without end no more is read than the limit allows."""
    bench = make(max_body_bytes=10_000)
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield b" " * 1000

    async def scenario() -> int:
        async with bench.client() as client:
            return (await client.post("/predict", content=endless(), headers=JSON)).status_code

    assert asyncio.run(scenario()) == 413
    assert read <= 12_000


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1e3", b"9" * 30, b"\xd9\xa3"])
def test_a_lying_length_breaks_nothing(length: bytes, make: Callable[..., Bench]) -> None:
    """Whatever Content-Length says, the answer is a 413, or a 200 for the body that came."""
    bench = make()

    async def scenario() -> int:
        async with bench.client() as client:
            headers = [(b"content-type", b"application/json"), (b"content-length", length)]
            body = b'{"features": [[5.1, 3.5, 1.4, 0.2]]}'
            return (await client.post("/predict", content=body, headers=headers)).status_code

    assert asyncio.run(scenario()) in {200, 413}
