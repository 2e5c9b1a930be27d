"""The control endpoint of an attached app: the control API with the fault metrics, on a loopback port of its own.

An ASGI app, which ``faults.attach_server`` serves. It takes no part in the app's own routes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from faults.api import create_control_app
from faults.gate import refusal
from faults.injector import Injector

REQUESTS = "firedrill_requests_total"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def home_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of the stack that this app belongs to, as the stack itself finds it."""
    named = environment.get("FIREDRILL_HOME")
    checkout = Path(__file__).resolve().parent.parent
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.home()
    return Path(named).expanduser() if named else base / ".firedrill"


def token_in(home: Path) -> Callable[[], str]:
    """Return what reads the token of the stack in ``home``; it gives nothing while there is none.

    Read anew each time: the app may well be started before the stack has ever been, and outlive its home.
    """
    path = home / "run" / "token"

    def read() -> str:
        try:
            return path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    return read


def control_app(
    injector: Injector, token: Callable[[], str], requests: Callable[[], int], *, instance: str, started_at: float
) -> ASGIApp:
    """Return the control API behind the token of the moment, with ``GET /metrics`` for Prometheus.

    ``requests`` counts those that have come to where faults act.
    """
    apps: dict[str, ASGIApp] = {}

    async def show_metrics(_: Request) -> Response:
        return PlainTextResponse(exposition(injector, requests()), media_type=CONTENT_TYPE)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        known = token()
        if not known:
            why = "there is no token yet: start the stack, `firedrill up --app URL`, or set FIREDRILL_TOKEN"
            refused = refusal(401, "no_token", why) if scope["type"] == "http" else None
            if refused is not None:
                await refused(scope, receive, send)
            return
        if known not in apps:
            apps.clear()
            app = create_control_app(injector, known, instance=instance, started_at=started_at)
            app.router.routes.append(Route("/metrics", show_metrics, methods=["GET"]))
            apps[known] = app
        await apps[known](scope, receive, send)

    return answer


def exposition(injector: Injector, requests: int) -> str:
    """Return the fault series in Prometheus's text format: active, injections, and requests that could be hit."""
    active, injections = injector.active(), injector.injections()
    families = (
        ("firedrill_fault_active", "gauge", "Active faults.", active),
        ("firedrill_fault_injections_total", "counter", "Calls that a fault acted on.", injections),
    )
    lines: list[str] = []
    for name, kind, text, counts in families:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        lines += [f'{name}{{kind="{each}"}} {counts.get(each, 0)}' for each in injector.names()]
    lines += [f"# HELP {REQUESTS} Requests that came to where faults act.", f"# TYPE {REQUESTS} counter"]
    lines.append(f"{REQUESTS} {requests}")
    return "\n".join(lines) + "\n"
