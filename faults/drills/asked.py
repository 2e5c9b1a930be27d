"""What a request to the conductor asks: who, how many, since when, and its body as a model. Bad input is refused here.

It answers nothing and knows none of the conductor's parts.
"""

from __future__ import annotations

import math
from typing import TypeVar
from urllib.parse import unquote

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from faults.client import ACTOR_HEADER

MAX_BODY_BYTES = 256 * 1024
MAX_LIMIT = 1000

M = TypeVar("M", bound=BaseModel)


def actor_of(request: Request) -> str:
    """Return who asks, as it shall stand in the journal."""
    return unquote(request.headers.get(ACTOR_HEADER, ""))[:80].strip() or "unknown"


def limit_of(request: Request, default: int) -> int:
    """Return how many are asked for; refuse what is no such number."""
    text = request.query_params.get("limit", str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise HTTPException(422, f"limit: expected a whole number from 1 to {MAX_LIMIT}, got {text!r:.40}")
    return int(text)


def since_of(request: Request) -> float:
    """Return the Unix time from which on is asked; refuse what is none."""
    text = request.query_params.get("since", "0")
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise HTTPException(422, f"since: expected Unix seconds, got {text!r:.40}")
    return since


async def body_of(request: Request, most: int) -> bytes:
    """Return the body, or refuse it as soon as it is longer than ``most`` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, f"the body is longer than {most} bytes")
    return bytes(body)


async def read(request: Request, model: type[M]) -> M:
    """Return the body as ``model``; refuse what does not fit, with every reason."""
    try:
        return model.model_validate_json(await body_of(request, MAX_BODY_BYTES))
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in found)
        raise HTTPException(422, "; ".join(problems)) from None
