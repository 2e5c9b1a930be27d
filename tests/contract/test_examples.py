"""The example app is an app like anybody's: off by default, measured by itself, with rules and a drill that fit it."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from faults.drills.spec import load_drill
from stack.own.app_check import series_of
from stack.pace import WORKSHOP
from stack.rules import promtool
from stack.rules.read import load_rules
from stack.rules.scale import scale_rules

BOOKSHOP = Path(__file__).resolve().parents[2] / "examples" / "bookshop"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """Return the bookshop as it is without any setting of Firedrill's."""
    monkeypatch.delenv("FIREDRILL_FAULTS", raising=False)
    app: FastAPI = importlib.import_module("examples.bookshop.app").app
    return app


def test_the_bookshop_shows_every_series_that_its_rules_read(shop: FastAPI) -> None:
    """A few requests bring all of them about, by route and status class, and without faults there is no 5xx."""

    async def run() -> str:
        transport = httpx.ASGITransport(shop)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            assert (await client.get("/books")).status_code == 200
            assert (await client.get("/books/2")).json() == "Solaris"
            assert (await client.get("/books/9")).status_code == 404
            assert (await client.post("/orders", json={"book": 1})).status_code == 201
            return (await client.get("/metrics")).text

    assert isinstance(shop, FastAPI)
    samples = [sample for family in text_string_to_metric_families(asyncio.run(run())) for sample in family.samples]
    counted = {
        (one.labels["route"], one.labels["code"]): one.value for one in samples if one.name == "shop_requests_total"
    }
    assert counted == {
        ("/books", "2xx"): 1,
        ("/books/{book}", "2xx"): 1,
        ("/books/{book}", "4xx"): 1,
        ("/orders", "2xx"): 1,
    }
    read = {name for rule in load_rules(BOOKSHOP / "rules.yml").alerts for name in series_of(rule.expr)}
    assert read - {"up"} <= {one.name for one in samples}


def test_the_bookshops_rules_and_drill_fit_each_other() -> None:
    """The rules pass promtool, they have an exact counterpart at workshop pace, and the drill expects one of them."""
    rules = load_rules(BOOKSHOP / "rules.yml")
    promtool.check(BOOKSHOP / "rules.yml")
    scale_rules(rules, WORKSHOP.factor)
    drill = load_drill(BOOKSHOP / "drill.yaml")
    assert {one.alert for one in drill.expect} | set(drill.allow) <= {rule.name for rule in rules.alerts}
