"""How soon a fault that is lit or put out shows in the service's answers, on a stack of the benchmark's own."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from faults.base import FaultRequest, Target
from faults.client import ConductorClient
from panel.bench.figures import Figure
from panel.bench.workplace import Workplace, workplace
from panel.commands.console import CommandError
from stack.endpoints import HOST

TURNS = 30
MOST_MS = 50.0
STATUS = 599
"""A status that nothing else answers with."""
PATIENCE_S = 10.0
BODY = b'{"features": [[5.8, 3.0, 4.3, 1.3]]}'
REQUEST = FaultRequest(
    kind="error", parameters={"status": STATUS}, target=Target(endpoint="/predict"), ttl_s=60.0, seed=1
)


class Caller:
    """Asks the service again and again over one connection and notes when an answer changes to affected, or back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._affected, self._since = False, time.perf_counter()
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="bench-caller", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self._thread.join()

    def until(self, *, affected: bool) -> float:
        """Return when (``perf_counter``) the first answer came that was affected, or unaffected again."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._failure or self._affected is affected, PATIENCE_S):
                raise CommandError(f"no {'affected' if affected else 'unaffected'} answer in {PATIENCE_S:g} s")
            if self._failure:
                raise CommandError(f"the service stopped answering in the benchmark: {self._failure}")
            return self._since

    def _run(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE_S)
        try:
            while not self._stopped.is_set():
                connection.request("POST", "/predict", BODY, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                self._note(answer.status == STATUS, time.perf_counter())
        except (OSError, http.client.HTTPException) as error:
            with self._changed:
                self._failure = str(error) or type(error).__name__
                self._changed.notify_all()
        finally:
            connection.close()

    def _note(self, affected: bool, at: float) -> None:
        if affected is not self._affected:
            with self._changed:
                self._affected, self._since = affected, at
                self._changed.notify_all()


@dataclass(frozen=True)
class Switch:
    """One way to light and to put out."""

    name: str
    light: Callable[[], str]
    put_out: Callable[[str], object]


@contextmanager
def _switches(place: Workplace) -> Iterator[tuple[Switch, ...]]:
    """Give the two ways: through the conductor, as panel and command line do, and by the control endpoint itself."""
    headers = {"Authorization": f"Bearer {place.home.token()}"}
    with (
        place.conductor() as conductor,
        httpx.Client(base_url=place.endpoints.url("control"), headers=headers, trust_env=False) as control,
    ):
        yield (
            _through(conductor),
            Switch(
                "the control endpoint",
                lambda: str(control.post("/faults", content=REQUEST.model_dump_json()).json()["id"]),
                lambda fault_id: control.delete(f"/faults/{fault_id}").raise_for_status(),
            ),
        )


def _through(conductor: ConductorClient) -> Switch:
    return Switch(
        "the conductor",
        lambda: conductor.light(REQUEST, actor="bench").id,
        lambda fault_id: conductor.put_out(fault_id, actor="bench"),
    )


def measure(say: Callable[[str], None], *, turns: int = TURNS) -> list[Figure]:
    """Toggle a fault many times under requests; return the medians from the request sent to the first such answer."""
    with workplace() as place:
        say("a stack for it")
        place.cli("up", "--detach", "--no-traffic", "--port-offset", str(place.endpoints.offset))
        caller = Caller(place.endpoints.port("service"))
        caller.start()
        try:
            with _switches(place) as switches:
                return [figure for switch in switches for figure in _toggle(switch, caller, turns, say)]
        finally:
            caller.stop()


def _toggle(switch: Switch, caller: Caller, turns: int, say: Callable[[str], None]) -> list[Figure]:
    say(f"toggling a fault by {switch.name}, {turns} times")
    on, off = [], []
    for _ in range(turns):
        caller.until(affected=False)
        sent = time.perf_counter()
        fault_id = switch.light()
        on.append((caller.until(affected=True) - sent) * 1e3)
        sent = time.perf_counter()
        switch.put_out(fault_id)
        off.append((caller.until(affected=False) - sent) * 1e3)
    return [
        figure
        for word, times in (("lit", on), ("put out", off))
        for figure in (
            Figure(
                f"fault {word} by {switch.name} until the first such answer, median of {turns}",
                round(statistics.median(times), 1),
                "ms",
                MOST_MS,
            ),
            Figure("the same, longest", round(max(times), 1), "ms"),
        )
    ]
