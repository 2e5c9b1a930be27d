"""Serves ``/metrics`` and ``/health`` with the standard library alone, to stay small. It answers nothing but GET."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from stack.hostmetrics.errors import PortUnavailable

IDLE_S = 60.0
"""How long an idle connection is kept; longer than any scrape interval that is sensible here."""


class HostMetricsServer(ThreadingHTTPServer):
    """The listening socket and its threads, which end with the process."""

    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        self.registry = registry
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise PortUnavailable(host, port, error.strerror or str(error)) from error

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    server: HostMetricsServer

    def do_GET(self) -> None:
        """Answer a scrape, a health probe, or say where to look."""
        path = urlsplit(self.path).path
        if path == "/metrics":
            encode, content_type = choose_encoder(self.headers.get("Accept", ""))
            self._answer(HTTPStatus.OK, encode(self.server.registry), content_type)
        elif path == "/health":
            self._answer(HTTPStatus.OK, b'{"status":"healthy"}', "application/json")
        elif path == "/":
            self._answer(HTTPStatus.OK, b"Firedrill host metrics: see /metrics\n", "text/plain; charset=utf-8")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"not found: try /metrics\n", "text/plain; charset=utf-8")

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Name this server, and not the version of Python."""
        return "firedrill-hostmetrics"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Log no request: a line for every scrape says nothing."""
