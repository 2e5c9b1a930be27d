"""Real Prometheus and Alertmanager for tests: started on free ports, waited for, ended by their id.

``PYTHONPATH`` has to hold the checkout: ``from tests.realprom import running_prometheus``.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import yaml

from stack.endpoints import HOST
from stack.provision import find_program
from stack.rules.durations import format_duration
from tests.ports import free_port

READY_WITHIN_S = 30.0


@dataclass(frozen=True)
class Running:
    """A program that runs and answers at ``url``."""

    url: str
    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, check: Callable[[], bool], what: str, timeout_s: float = READY_WITHIN_S) -> None:
        """Return when ``check`` is true; fail with the program's output when it is not in time, or has died."""
        deadline = time.monotonic() + timeout_s
        while not check():
            if self.process.poll() is not None or time.monotonic() > deadline:
                output = self.log.read_text(errors="replace")[-4000:]
                raise AssertionError(f"{what}: not within {timeout_s:.0f} s; exit {self.process.poll()}\n{output}")
            time.sleep(0.05)


@contextmanager
def running_prometheus(
    folder: Path,
    *,
    rules: Sequence[Path] = (),
    scrapes: Mapping[str, Sequence[str]] | None = None,
    alertmanager: str | None = None,
    interval_s: float = 1.0,
    flags: Sequence[str] = (),
    port: int | None = None,
    out_of_order: str | None = None,
) -> Iterator[Running]:
    """Run Prometheus in ``folder`` on an empty database with ``rules``, scraping ``scrapes`` (job → addresses).

    ``out_of_order`` is how far behind its newest sample it takes one, such as ``4d``.
    """
    interval = format_duration(interval_s)
    configuration = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(path) for path in rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager] if alertmanager else []}]}]},
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]}
            for job, addresses in (scrapes or {}).items()
        ],
        **({"storage": {"tsdb": {"out_of_order_time_window": out_of_order}}} if out_of_order else {}),
    }
    path = _written(folder, "prometheus.yml", configuration)
    port = port or free_port()
    arguments = (
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
        f"--rules.alert.resend-delay={format_duration(4 * interval_s)}",
        *flags,
    )
    with _running("prometheus", arguments, folder, port) as running:
        yield running


@contextmanager
def running_alertmanager(
    folder: Path,
    *,
    webhook_url: str | None = None,
    webhook_token: str | None = None,
    group_wait_s: float = 0.2,
    group_interval_s: float = 1.0,
    port: int | None = None,
) -> Iterator[Running]:
    """Run Alertmanager in ``folder``; it delivers to ``webhook_url``, where there is one, with ``webhook_token``."""
    receiver: dict[str, object] = {"name": "test"}
    if webhook_url:
        authorization = {"http_config": {"authorization": {"credentials": webhook_token}}} if webhook_token else {}
        receiver["webhook_configs"] = [{"url": webhook_url, "send_resolved": True, **authorization}]
    route = {
        "receiver": "test",
        "group_by": ["alertname"],
        "group_wait": format_duration(group_wait_s),
        "group_interval": format_duration(group_interval_s),
    }
    path = _written(folder, "alertmanager.yml", {"route": route, "receivers": [receiver]})
    port = port or free_port()
    arguments = (
        f"--config.file={path}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
    )
    with _running("alertmanager", arguments, folder, port) as running:
        yield running


@dataclass
class Said:
    """What a test's HTTP server answers to everything, until told otherwise."""

    url: str
    address: str
    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain"
    delay_s: float = 0.0


@contextmanager
def answering(
    body: bytes = b"", *, status: int = 200, content_type: str = "text/plain", delay_s: float = 0.0
) -> Iterator[Said]:
    """Run an HTTP server on a free port that answers every GET with ``body``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(said.delay_s)
            self.send_response(said.status)
            self.send_header("Content-Type", said.content_type)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        def log_message(self, *_arguments: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    address = f"{HOST}:{server.server_address[1]}"
    said = Said(f"http://{address}", address, status, body, content_type, delay_s)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    with ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        yield said


def _written(folder: Path, name: str, configuration: Mapping[str, object]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    return path


@contextmanager
def _running(program: str, arguments: Sequence[str], folder: Path, port: int) -> Iterator[Running]:
    log = folder / f"{program}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([find_program(program), *arguments], stdout=output, stderr=subprocess.STDOUT)
        try:
            running = Running(f"http://{HOST}:{port}", f"{HOST}:{port}", process, log)
            running.wait_for(lambda: _ready(running.url), f"{program} is ready")
            yield running
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=1.0, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
