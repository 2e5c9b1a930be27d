"""``python -m panel.serve``: the panel's process. Streamlit's pages behind our gate, served by uvicorn.

It reads the environment, binds the sockets and runs until it is told to stop; it draws nothing and lets nobody in.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import uvicorn
from starlette.middleware import Middleware

from panel import plotly_script
from panel.access.errors import AccessError
from panel.access.gate import Gate
from panel.access.hosts import Hosts
from panel.access.opening import Opening
from panel.access.sessions import Sessions
from panel.access.store import AccessStore, take_password
from stack.home import Home, endpoints_from_environment

APP = Path(__file__).with_name("app.py")
STOPS_WITHIN_S = 1
"""How long open connections may take to end; the supervisor then waits a moment longer."""
PING_S = 20.0
LARGEST_MESSAGE = 200 * 2**20
"""Streamlit's own bounds of a websocket: seconds between pings, bytes of a message."""


def gate(home: Home, opening: Opening) -> Middleware:
    """Return the gate for the panel of ``home``, as middleware of its app."""
    endpoints = endpoints_from_environment()
    store = AccessStore(home)
    return Middleware(
        Gate,
        opened=opening.opened,
        hosts=Hosts(opened=opening.opened, names=(*opening.names, *endpoints.names)),
        store=store,
        sessions=Sessions(home.run / "panel-sessions.json", store),
        machine_token=home.token(),
    )


def server(home: Home, opening: Opening) -> uvicorn.Server:
    """Return the server of the panel, which has yet to be given its sockets."""
    from streamlit.starlette import App  # noqa: PLC0415 - a second of import, which a wrong setting need not pay

    config = uvicorn.Config(
        App(APP, routes=[plotly_script.route()], middleware=[gate(home, opening), Middleware(plotly_script.Early)]),
        ws="websockets-sansio",
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_max_size=LARGEST_MESSAGE,
        ws_per_message_deflate=False,
        access_log=False,  # addresses hold what somebody looks for
        log_level="warning",
        use_colors=False,
        server_header=False,
        timeout_graceful_shutdown=STOPS_WITHIN_S,
    )
    return uvicorn.Server(config)


def prepare(home: Home, opening: Opening) -> None:
    """Keep how far the panel is open, and the hash of a password that the environment brings, as in a container."""
    store = AccessStore(home)
    if not opening.opened:
        store.close()
        return
    store.open(opening.host, opening.names)
    password = take_password(os.environ)
    if password:
        store.choose_password(password)


def main() -> int:
    """Serve the panel until SIGTERM or SIGINT; return 2 where it cannot be opened as the environment says."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    home, opening = Home.from_environment(), Opening.from_environment()
    try:
        prepare(home, opening)
        sockets = opening.sockets(endpoints_from_environment().port("panel"))
    except AccessError as problem:
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201 - the component's log
        return 2
    server(home, opening).run(sockets=sockets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
