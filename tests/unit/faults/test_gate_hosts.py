"""The names that containers call each other by open the gate to them, and to nothing that looks like them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from faults.gate import Gate

TOKEN = "t" * 20


def answer(headers: dict[str, str]) -> int:
    """Return the status that a gate which also knows the name ``service`` answers with."""
    app = Starlette(routes=[Route("/x", lambda _request: PlainTextResponse("in"))])
    transport = httpx.ASGITransport(Gate(app, TOKEN, hosts=frozenset({"service"})))

    async def ask() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get("/x", headers=headers)).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("service:8600", 200),
        ("service", 200),
        ("127.0.0.1:8600", 200),
        ("localhost", 200),
        ("service.evil.example", 403),
        ("evil.example:8600", 403),
        ("xservice", 403),
        ("", 403),
    ],
)
def test_only_known_names_pass(host: str, status: int) -> None:
    """A host is known by its whole name, its port does not matter."""
    assert answer({"Host": host, "Authorization": f"Bearer {TOKEN}"}) == status


def test_a_known_name_still_wants_the_token() -> None:
    """The name lets nobody act, and no page that claims it as its origin gets in."""
    assert answer({"Host": "service"}) == 401
    origin = {"Host": "service", "Origin": "http://service:8600", "Authorization": f"Bearer {TOKEN}"}
    assert answer(origin) == 403
