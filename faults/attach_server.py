"""The server of an attached app's control endpoint, in the app's event loop, on a loopback port of its own.

It leaves the app's signals and logging set-up alone. It is imported when a server starts, so that an app in which
faults are never switched on needs no uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from faults.attach_errors import ControlEndpointFailed

HOST = "127.0.0.1"
BACKLOG = 128


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process is the app's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class ControlServer:
    """An HTTP server for ``app`` on the running event loop, from its making to ``stop``."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        """Listen on loopback; raise ``ControlEndpointFailed``."""
        self.url = f"http://{HOST}:{port}"
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(BACKLOG)  # who calls from now on is answered as soon as the server runs
        except OSError as error:
            listener.close()
            raise ControlEndpointFailed(f"{HOST}:{port}", error.strerror or str(error)) from None
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
        )
        self._server = _Server(config)
        self._serving = asyncio.get_running_loop().create_task(_serve(self._server, listener))

    async def stop(self) -> None:
        """Finish what is under way, for a second at most, and close the port."""
        self._server.should_exit = True
        await asyncio.wait({self._serving})


async def _serve(server: _Server, listener: socket.socket) -> None:
    """Serve until told to stop; a loop that ends first cancels this."""
    with contextlib.closing(listener):
        await server.serve(sockets=[listener])
