"""The pages of the gate itself: log in, join, log out, and a refusal. Plain HTML, no script; it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse

LOGIN, JOIN, LOGOUT = "/login", "/join", "/logout"
OWN = frozenset({LOGIN, JOIN, LOGOUT})
POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1b1f;--paper:#fff;--line:#767680;--act:#b23a00;--bad:#a40000}
@media (prefers-color-scheme:dark){:root{--ink:#f2f2f5;--paper:#121316;--line:#9a9aa5;--act:#e8601c;--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--paper);color:var(--ink);
font:1.125rem/1.5 system-ui,sans-serif}
main{width:min(26rem,100%)}h1{font-size:1.6rem;margin:0 0 .5rem}p{margin:.5rem 0}
label{display:block;font-weight:600;margin-top:1rem}
input{width:100%;margin-top:.25rem;padding:.7rem;font:inherit;border:1px solid var(--line);border-radius:.4rem;
background:var(--paper);color:var(--ink)}
input.code{font-size:2rem;letter-spacing:.3em;text-transform:uppercase;font-family:ui-monospace,monospace}
button{width:100%;margin-top:1rem;padding:.8rem;font:inherit;font-weight:600;border:0;border-radius:.4rem;
background:#b23a00;color:#fff;cursor:pointer}
:focus-visible{outline:3px solid var(--act);outline-offset:2px}a{color:var(--act)}
.bad{border-left:.3rem solid var(--bad);padding:.5rem .75rem;margin-top:1rem;font-weight:600}
small{display:block;margin-top:.25rem}
"""


@dataclass(frozen=True)
class Form:
    """What a page asks for. ``field`` is the name of its one input."""

    path: str
    title: str
    intro: str
    label: str
    field: str
    attributes: str
    hint: str
    button: str
    other: str
    other_path: str


_FORMS = {
    LOGIN: Form(
        LOGIN,
        "Firedrill: log in",
        "For whoever runs the drill.",
        "Password",
        "password",
        'type="password" autocomplete="current-password" maxlength="1024"',
        "It was shown when the panel was opened; <code>firedrill access --new-password</code> makes another.",
        "Log in",
        "I only want to watch",
        JOIN,
    ),
    JOIN: Form(
        JOIN,
        "Firedrill: watch",
        "For the audience: everything can be looked at, nothing can be changed.",
        "Code",
        "code",
        'type="text" class="code" autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="16"',
        "Six letters and digits; whoever runs the drill can show them.",
        "Watch",
        "I run the drill",
        LOGIN,
    ),
}


def form(path: str, *, forward: str, status: int = 200, problem: str = "", wait_s: float = 0.0) -> HTMLResponse:
    """Return the page at ``path``; ``forward`` is where to go afterwards, ``problem`` what was wrong the last time."""
    asks = _FORMS[path]
    said = f'<p class="bad" id="problem" role="alert">&#10007; {escape(problem)}</p>' if problem else ""
    about = "hint problem" if problem else "hint"
    body = (
        f"<h1>{asks.title}</h1><p>{asks.intro}</p>{said}"
        f'<form method="post" action="{asks.path}"><input type="hidden" name="next" value="{escape(forward)}">'
        f'<label for="secret">{asks.label}</label>'
        f'<input id="secret" name="{asks.field}" {asks.attributes} required autofocus aria-describedby="{about}">'
        f'<small id="hint">{asks.hint}</small><button type="submit">{asks.button}</button></form>'
        f'<p><a href="{asks.other_path}{_query(forward)}">{asks.other}</a></p>'
    )
    headers = _HEADERS | ({"Retry-After": str(max(1, round(wait_s)))} if wait_s else {})
    return HTMLResponse(_page(asks.title, body), status, headers)


def farewell() -> HTMLResponse:
    """Return the page that asks whether to log out: a link alone must not do it."""
    body = (
        "<h1>Firedrill: log out</h1><p>This browser then has to log in anew. Faults and drills go on.</p>"
        f'<form method="post" action="{LOGOUT}"><button type="submit" autofocus>Log out</button></form>'
        '<p><a href="/">Back to the panel</a></p>'
    )
    return HTMLResponse(_page("Firedrill: log out", body), 200, _HEADERS)


def refusal(status: int, what: str, remedy: str) -> HTMLResponse:
    """Return a page that says why a request goes no further, and what to do."""
    body = f"<h1>{escape(what)}</h1><p>{remedy}</p>"
    return HTMLResponse(_page(what, body), status, _HEADERS)


def to(path: str, *, forward: str = "/") -> RedirectResponse:
    """Return a redirect to ``path``, which the browser asks for by GET; ``forward`` is where to go from there."""
    return RedirectResponse(f"{path}{_query(forward)}", 303, {"Cache-Control": "no-store"})


def inside(address: str) -> str:
    """Return ``address`` where it is a path of the panel, else the path of its first page: never another site's."""
    plain = all(33 <= ord(sign) < 127 and sign != "\\" for sign in address)
    if not plain or len(address) > 2000 or not address.startswith("/") or address.startswith("//"):
        return "/"
    return "/" if address.partition("?")[0] in OWN else address


def _query(forward: str) -> str:
    return "" if forward == "/" else f"?next={quote(forward, safe='/')}"


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )
