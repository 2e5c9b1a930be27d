"""The control endpoint and its gate: what it answers, and whom it lets in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.api import MAX_BODY_BYTES, create_control_app
from faults.gate import Gate
from faults.injector import Injector

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TOKEN = "correct-horse"  # noqa: S105 - a test's own token
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
Scenario = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_control(scenario: Scenario, *, headers: dict[str, str] | None = None) -> None:
    """Run a scenario against a fresh control app over a fresh injector."""

    async def run() -> None:
        injector = Injector()
        app = create_control_app(injector, TOKEN, instance="abc", started_at=12.5)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        given_headers = AUTHORIZED if headers is None else headers
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8600", headers=given_headers
        ) as client:
            await scenario(client)
        await injector.close()

    asyncio.run(run())


def wanted(**changes: Any) -> dict[str, Any]:
    """Return a good request body with changes."""
    return {"kind": "latency", "parameters": {"delay_ms": 5}, "ttl_s": 30, **changes}


def test_a_fault_is_lit_listed_and_put_out() -> None:
    """The life of a fault over HTTP: 201, listed as active, DELETE twice gives the same ended record."""

    async def scenario(client: httpx.AsyncClient) -> None:
        lit = await client.post("/faults", json=wanted(probability=0.5, seed=4))
        assert lit.status_code == 201
        record = lit.json()
        assert (record["state"], record["probability"], record["seed"]) == ("active", 0.5, 4)
        assert record["parameters"]["distribution"] == "fixed"
        assert (await client.get("/faults")).json() == [record]
        first = await client.delete(f"/faults/{record['id']}")
        again = await client.delete(f"/faults/{record['id']}")
        assert first.status_code == 200
        assert first.json() == again.json()
        assert (first.json()["state"], first.json()["end_reason"]) == ("ended", "rolled_back")

    with_control(scenario)


def test_reset_ends_everything() -> None:
    """POST /reset answers with the records that it ended, and with none the second time."""

    async def scenario(client: httpx.AsyncClient) -> None:
        for _ in range(3):
            await client.post("/faults", json=wanted())
        ended = (await client.post("/reset")).json()
        assert [record["end_reason"] for record in ended] == ["reset"] * 3
        assert (await client.post("/reset")).json() == []

    with_control(scenario)


def test_kinds_are_described_with_their_availability() -> None:
    """GET /kinds has each kind's schema under ``schema``, and says why a kind is unavailable in this process."""

    async def scenario(client: httpx.AsyncClient) -> None:
        kinds = {kind["kind"]: kind for kind in (await client.get("/kinds")).json()}
        assert {"latency", "error", "model_load_failure", "ood_inputs"} <= set(kinds)
        assert kinds["latency"]["schema"]["properties"]["delay_ms"]["maximum"] == 60_000
        assert kinds["latency"]["available"] is True
        assert kinds["ood_inputs"]["available"] is False
        assert kinds["ood_inputs"]["unavailable_because"] == "it needs a service with models"

    with_control(scenario)


def test_health_is_open_and_names_the_instance() -> None:
    """/health needs no token and tells one start of the process from another."""

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.get("/health")
        assert answer.json() == {"status": "healthy", "instance": "abc", "started_at": 12.5}

    with_control(scenario, headers={})


@pytest.mark.parametrize(
    ("body", "status", "kind", "says"),
    [
        (wanted(kind="gremlin"), 422, "unknown_fault_kind", "gremlin"),
        (wanted(parameters={"delay_ms": -1}), 422, "invalid_input", "delay_ms"),
        (wanted(parameters={"delay_ms": 5, "colour": 1}), 422, "invalid_input", "colour"),
        (wanted(probability=0), 422, "invalid_input", "probability"),
        (wanted(probability=1.1), 422, "invalid_input", "probability"),
        (wanted(ttl_s=0), 422, "invalid_input", "ttl_s"),
        (wanted(ttl_s=1e9), 422, "invalid_input", "ttl_s"),
        (wanted(seed=-1), 422, "invalid_input", "seed"),
        (wanted(target={"models": "x"}), 422, "invalid_input", "target.models"),
        (wanted(target={"model": "x"}), 422, "invalid_input", "no model 'x'"),
        (wanted(kind="ood_inputs", parameters={}), 409, "fault_unavailable", "a service with models"),
        ({"kind": "latency"}, 422, "invalid_input", "ttl_s: Field required"),
        ([], 422, "invalid_input", "body"),
    ],
)
def test_bad_requests(body: Any, status: int, kind: str, says: str) -> None:
    """What cannot be lit is refused in the error shape, with the field that is wrong, and nothing is lit."""

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post("/faults", json=body)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == kind
        assert says in answer.json()["error"]["message"]
        assert (await client.get("/faults")).json() == []

    with_control(scenario)


@patient
@given(payload=st.binary(max_size=200))
def test_no_payload_breaks_it(payload: bytes) -> None:
    """Whatever bytes are posted, the answer is 422 in the error shape."""

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post("/faults", content=payload)
        assert answer.status_code == 422
        assert answer.json()["error"]["type"] == "invalid_input"

    with_control(scenario)


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/faults", 405, "method_not_allowed"),
        ("DELETE", "/faults/latency-0", 404, "unknown_fault"),
    ],
)
def test_unknown_paths_and_faults(method: str, path: str, status: int, kind: str) -> None:
    """Unknown paths, methods and fault ids answer in the error shape as well."""

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == kind

    with_control(scenario)


def test_a_long_body_is_cut_off() -> None:
    """A body above the limit is 413 and is not read to its end."""
    sent = 0

    async def chunks() -> Any:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 8192

    async def scenario(client: httpx.AsyncClient) -> None:
        answer = await client.post("/faults", content=chunks())
        assert answer.status_code == 413
        assert answer.json()["error"]["type"] == "payload_too_large"

    with_control(scenario)
    assert sent <= MAX_BODY_BYTES // 8192 + 2


@pytest.mark.parametrize("path", ["/faults", "/kinds", "/reset", "/nowhere"])
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ü"],
)
def test_without_the_token_there_is_nothing_to_see(path: str, authorization: str | None) -> None:
    """Every path but /health answers 401 without exactly the token, unknown paths included."""
    headers = {} if authorization is None else {b"Authorization": authorization.encode()}

    async def scenario(client: httpx.AsyncClient) -> None:
        for method in ("GET", "POST", "DELETE"):
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401
            assert answer.json()["error"]["type"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"

    with_control(scenario, headers={})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8600", 200),
        ("localhost", 200),
        ("LocalHost:1", 200),
        ("[::1]:8600", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:8600@evil.example", 403),
        ("", 403),
    ],
)
def test_foreign_hosts_are_refused(host: str, status: int) -> None:
    """A name that only resolves to this machine (DNS rebinding) is refused, even with the token and on /health."""

    async def scenario(client: httpx.AsyncClient) -> None:
        for path in ("/health", "/faults"):
            assert (await client.get(path, headers={"Host": host})).status_code == status

    with_control(scenario)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:8501", 200),
        ("http://localhost:8501", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_foreign_origins_are_refused(origin: str, status: int) -> None:
    """A page of another origin cannot use the endpoint, even with the token; pages of this machine can."""

    async def scenario(client: httpx.AsyncClient) -> None:
        assert (await client.get("/faults", headers={"Origin": origin})).status_code == status

    with_control(scenario)


def test_an_empty_token_is_not_accepted_as_configuration() -> None:
    """A control endpoint that would be open to everyone does not come into being."""
    with pytest.raises(ValueError, match="token is empty"):
        Gate(create_control_app(Injector(), TOKEN, instance="", started_at=0), token="")
