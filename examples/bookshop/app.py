"""A small bookshop, as somebody might have it in production: FastAPI, its own metrics, and one line of Firedrill.

It knows nothing of faults but for its last line. Run it with ``uvicorn examples.bookshop.app:app``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from pydantic import BaseModel

from faults.attach import attach

BOOKS = {1: "The Left Hand of Darkness", 2: "Solaris", 3: "Roadside Picnic"}

registry = CollectorRegistry()
REQUESTS = Counter("shop_requests", "Requests by route and status class.", ["route", "code"], registry=registry)
SECONDS = Histogram(
    "shop_request_seconds",
    "Time to answer, by route.",
    ["route"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=registry,
)
ORDERS = Counter("shop_orders", "Books that were ordered.", registry=registry)

app = FastAPI(title="Bookshop")


class Order(BaseModel):
    """What a customer wants."""

    book: int
    copies: int = 1


@app.middleware("http")
async def measure(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Count and time every request but those for the metrics themselves."""
    if request.url.path == "/metrics":
        return await call_next(request)
    code, started = "5xx", time.perf_counter()
    try:
        response = await call_next(request)
        code = f"{response.status_code // 100}xx"
        return response
    finally:
        route = getattr(request.scope.get("route"), "path", "other")
        REQUESTS.labels(route, code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - started)


@app.get("/books")
async def books() -> dict[int, str]:
    """List what there is."""
    return BOOKS


@app.get("/books/{book}")
async def book(book: int) -> str:
    """Show one book."""
    if book not in BOOKS:
        raise HTTPException(404, "no such book")
    return BOOKS[book]


@app.post("/orders", status_code=201)
async def order(order: Order) -> dict[str, str]:
    """Take an order."""
    title = await book(order.book)
    ORDERS.inc(order.copies)
    return {"ordered": title}


@app.get("/metrics")
async def metrics() -> Response:
    """Show the metrics to Prometheus."""
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


app = attach(app)
