"""What all pages share: the document around the content, escaping, and the headers that forbid anything foreign."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse

from stack.tracestore.attributes import text_of
from stack.tracestore.model import Value

COLOURS = 8
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)
_LATEST_NS = 4_102_444_800 * 10**9


@cache
def _style() -> str:
    return files("stack.tracestore.page").joinpath("style.css").read_text(encoding="utf-8")


def document(title: str, content: str, *, status: int = 200) -> HTMLResponse:
    """Return a whole page. ``content`` is HTML already; ``title`` is text."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_style()}</style></head>'
        '<body><a class="skip" href="#content">Skip to content</a>'
        '<header><a class="home" href="/search">Firedrill traces</a>'
        '<form action="/search" method="get" class="by-id"><label><span class="hidden">Trace id</span>'
        '<input name="traceID" placeholder="Open a trace by its id" size="34"></label></form></header>'
        f'<main id="content">{content}</main></body></html>'
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers=headers)


def colour(service: str, services: tuple[str, ...]) -> str:
    """Return the CSS class of a service's colour: the same for all its spans on a page."""
    return f"c{services.index(service) % COLOURS}"


def moment(time_ns: int) -> str:
    """Return a time for a person, in UTC to the millisecond."""
    return datetime.fromtimestamp(min(time_ns, _LATEST_NS) / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def badge(text: str, kind: str) -> str:
    """Return a small label in a frame."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def rows(pairs: Iterable[tuple[str, Value]]) -> str:
    """Return a table of names and values, nothing where there are none."""
    lines = "".join(f"<tr><th>{escape(key)}</th><td>{escape(text_of(value))}</td></tr>" for key, value in pairs)
    return f"<table>{lines}</table>" if lines else ""


def message(title: str, text: str, *, status: int, links: Iterable[tuple[str, str]] = ()) -> HTMLResponse:
    """Return a page that says one thing, with a way on (``links``: address and text) and a way back."""
    ways = "".join(
        f'<p><a href="{escape(address)}">{escape(words)}</a></p>'
        for address, words in (*links, ("/search", "Recent traces"))
    )
    return document(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>{ways}", status=status)
