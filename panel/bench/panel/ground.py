"""What the figures of the panel are taken on: a running stack, its panel's process, Prometheus's count of queries."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
from prometheus_client.parser import text_string_to_metric_families

from panel.bench.workplace import Workplace, workplace
from panel.commands.console import CommandError
from panel.refresh import SETTING
from stack.status import read_status

HISTORY_S = 30.0
"""So long the stack runs before anything is measured: the charts then have something to show."""
_COUNTER = "prometheus_http_requests_total"
_QUERIES = "/api/v1/query"


@dataclass(frozen=True)
class Ground:
    """A running stack whose panel is measured."""

    place: Workplace
    refresh_s: float

    @property
    def url(self) -> str:
        """The panel's address."""
        return self.place.endpoints.url("panel")

    def cpu_s(self) -> float:
        """Return the processor time that the panel's processes have used, in seconds."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(each.user + each.system for each in times)

    def memory_bytes(self) -> int:
        """Return the memory that the panel's processes hold (RSS)."""
        return sum(process.memory_info().rss for process in self._processes())

    def queries(self) -> float:
        """Return how many queries Prometheus has answered since its start, by its own count."""
        address = f"{self.place.endpoints.url('prometheus')}/metrics"
        try:
            with urllib.request.urlopen(address, timeout=10.0) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, OSError) as error:
            raise CommandError(f"the benchmark's Prometheus did not answer at {address}: {error}") from error
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == _COUNTER and sample.labels.get("handler", "").startswith(_QUERIES)
        )

    def _processes(self) -> list[psutil.Process]:
        found = [one.pid for one in read_status(self.place.home).components if one.name == "panel"]
        if not found or found[0] is None:
            raise CommandError("the benchmark's panel does not run")
        panel = psutil.Process(found[0])
        return [panel, *panel.children(recursive=True)]


@contextmanager
def ground(say: Callable[[str], None], refresh_s: float) -> Iterator[Ground]:
    """Run a stack of the benchmark's own at workshop pace, whose panel refreshes every ``refresh_s`` seconds."""
    with workplace(settings={SETTING: f"{refresh_s:g}"}) as place:
        say(f"a stack whose panel refreshes every {refresh_s:g} s")
        place.up()
        time.sleep(HISTORY_S)
        yield Ground(place, refresh_s)
