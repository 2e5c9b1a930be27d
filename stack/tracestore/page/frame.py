"""What all pages share: the document around the content, escaping, and the headers that forbid anything foreign."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse

COLOURS = 8
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self' http://127.0.0.1:* http://localhost:*"
)


@cache
def _style() -> str:
    return files("stack.tracestore.page").joinpath("style.css").read_text(encoding="utf-8")


def document(title: str, content: str, *, status: int = 200) -> HTMLResponse:
    """Return a whole page. ``content`` is HTML already; ``title`` is text."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{_style()}</style></head>'
        f'<body><header><a class="home" href="/">Firedrill traces</a></header><main>{content}</main></body></html>'
    )
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(html, status, headers=headers)


def colour(service: str, services: tuple[str, ...]) -> str:
    """Return the CSS class of a service's colour: the same for all its spans on a page."""
    return f"c{services.index(service) % COLOURS}"


def moment(time_ns: int) -> str:
    """Return a time for a person, in UTC to the millisecond."""
    return datetime.fromtimestamp(min(time_ns, 4_102_444_800 * 10**9) / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def message(title: str, text: str, *, status: int) -> HTMLResponse:
    """Return a page that says one thing, with a way back."""
    content = f'<h1>{escape(title)}</h1><p>{escape(text)}</p><p><a href="/">Recent traces</a></p>'
    return document(title, content, status=status)
