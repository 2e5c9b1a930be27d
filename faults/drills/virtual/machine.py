"""A modelled process: its memory, its processor time and what Prometheus's clients say of both. Nothing real is asked.

It is like the process that ``timings.json`` was recorded of, and grows and burns as faults have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from faults.drills.virtual.timings import ProcessFacts

MEMORY_BYTES = 16 * 1024**3
"""Memory of the modelled machine."""
GENERATIONS = 3
INTERPRETER = "interpreter"
_NOTHING: Mapping[str, float] = MappingProxyType({})
COLLECTED_PER_REQUEST = (0.02, 0.002, 0.0)
"""Objects that the garbage collector frees, by generation: small, steady numbers that no rule should hang on."""


class Machine:
    """The process of one start of the service. ``requests`` tells how many it has answered."""

    def __init__(self, facts: ProcessFacts, now: Callable[[], float], requests: Callable[[], int]) -> None:
        """``now`` gives Unix seconds."""
        self.facts, self._now, self._requests = facts, now, requests
        self.started_at = now()
        self._taken: dict[object, int] = {}
        self._burning: dict[object, tuple[float, str]] = {}
        self._burned_s, self._burned_until = 0.0, self.started_at

    @property
    def available_bytes(self) -> int:
        """How much memory is left on the machine."""
        return MEMORY_BYTES - self.resident_bytes

    @property
    def resident_bytes(self) -> int:
        """Memory of the process."""
        return self.facts.resident_bytes + sum(self._taken.values())

    @property
    def cpu_s(self) -> float:
        """Processor time since the start, in seconds."""
        self._advance()
        up_s = self._now() - self.started_at
        facts = self.facts
        return facts.cpu_start_s + facts.cpu_idle * up_s + facts.cpu_request_s * self._requests() + self._burned_s

    @property
    def burning(self) -> Mapping[str, float]:
        """How many threads burn now, by what they contend for."""
        if not self._burning:
            return _NOTHING
        threads: dict[str, float] = {}
        for number, what in self._burning.values():
            threads[what] = threads.get(what, 0.0) + number
        return threads

    def take_memory(self, holder: object, size: int) -> None:
        """Grow by ``size`` bytes for ``holder``."""
        self._taken[holder] = self._taken.get(holder, 0) + size

    def give_back_memory(self, holder: object) -> None:
        """Give back what was taken for ``holder``."""
        self._taken.pop(holder, None)

    def burn(self, holder: object, threads: float, contends_for: str) -> None:
        """Have threads burn for ``holder`` from now on."""
        self._advance()
        self._burning[holder] = (threads, contends_for)

    def spare(self, holder: object) -> None:
        """End what burns for ``holder``."""
        self._advance()
        self._burning.pop(holder, None)

    def _advance(self) -> None:
        """Count what has burned since it was last looked at: of one interpreter lock, one core at most."""
        now, burning = self._now(), self.burning
        of_lock = min(burning.get(INTERPRETER, 0.0), 1.0)
        others = sum(number for what, number in burning.items() if what != INTERPRETER)
        cores = min(of_lock + others, float(self.facts.cores))
        self._burned_s += cores * (now - self._burned_until)
        self._burned_until = now

    def register(self, registry: CollectorRegistry) -> None:
        """Have its metrics on ``registry``."""
        registry.register(_MachineCollector(self, self._requests))


class _MachineCollector(Collector):
    """The metrics of a process and its interpreter, under the names of ``prometheus_client``."""

    def __init__(self, machine: Machine, requests: Callable[[], int]) -> None:
        self._machine, self._requests = machine, requests

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        machine, facts = self._machine, self._machine.facts
        grown = machine.resident_bytes - facts.resident_bytes
        for name, text, value in (
            ("process_virtual_memory_bytes", "Virtual memory size in bytes.", facts.virtual_bytes + grown),
            ("process_resident_memory_bytes", "Resident memory size in bytes.", machine.resident_bytes),
            ("process_start_time_seconds", "Start time of the process, Unix seconds.", machine.started_at),
            ("process_open_fds", "Number of open file descriptors.", facts.open_fds),
            ("process_max_fds", "Maximum number of open file descriptors.", facts.max_fds),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        yield CounterMetricFamily(
            "process_cpu_seconds", "Total user and system CPU time spent in seconds.", value=machine.cpu_s
        )
        info = GaugeMetricFamily(
            "python_info",
            "Python platform information",
            labels=["implementation", "major", "minor", "patchlevel", "version"],
        )
        info.add_metric(["CPython", "3", "11", "7", "3.11.7"], 1)
        yield info
        requests = self._requests()
        for name, text, share in (
            ("python_gc_objects_collected", "Objects collected during gc", 50.0),
            ("python_gc_objects_uncollectable", "Uncollectable objects found during GC", 0.0),
            ("python_gc_collections", "Number of times this generation was collected", 1.0),
        ):
            family = CounterMetricFamily(name, text, labels=["generation"])
            for generation in range(GENERATIONS):
                family.add_metric([str(generation)], int(requests * COLLECTED_PER_REQUEST[generation] * share))
            yield family
