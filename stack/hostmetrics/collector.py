"""Turns readings of the machine into one exposition, and says of each part whether it could be read and how fast.

Read at each scrape and only then; a part that fails takes no other with it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import psutil
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stack.hostmetrics.devices import read_disks, read_filesystems, read_network
from stack.hostmetrics.families import COLLECTOR_DURATION, COLLECTOR_SUCCESS, Reading
from stack.hostmetrics.system import read_cpu, read_load, read_memory, read_stat, read_time, read_uname

Read = Callable[[], Iterable[Reading]]

READERS: Mapping[str, Read] = MappingProxyType(
    {
        "cpu": read_cpu,
        "diskstats": read_disks,
        "filesystem": read_filesystems,
        "loadavg": read_load,
        "meminfo": read_memory,
        "netdev": read_network,
        "stat": read_stat,
        "time": read_time,
        "uname": read_uname,
    }
)
"""The parts, under the names of node_exporter's collectors."""
logger = logging.getLogger(__name__)


class HostCollector(Collector):
    """Collects all parts for one registry. A part that fails is logged when it starts to, and not at every scrape."""

    def __init__(self, readers: Mapping[str, Read] = READERS) -> None:
        self._readers = readers
        self._failing: set[str] = set()

    def describe(self) -> Iterable[Metric]:
        """Describe nothing, so that registering does not read the machine."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Read every part."""
        success: list[tuple[tuple[str, ...], float]] = []
        duration: list[tuple[tuple[str, ...], float]] = []
        for name, read in self._readers.items():
            started = time.perf_counter()
            readings, good = self._try(name, read)
            duration.append(((name,), time.perf_counter() - started))
            success.append(((name,), float(good)))
            yield from map(_metric, readings)
        yield _metric(Reading(COLLECTOR_DURATION, duration))
        yield _metric(Reading(COLLECTOR_SUCCESS, success))

    def _try(self, name: str, read: Read) -> tuple[list[Reading], bool]:
        """Return what a part reads, all of it or nothing, and whether it could be read."""
        try:
            readings = list(read())
        except (OSError, psutil.Error, NotImplementedError, ValueError, RuntimeError) as error:
            if name not in self._failing:
                logger.warning("%s cannot be read here: %s: %s", name, type(error).__name__, error)
            self._failing.add(name)
            return [], False
        self._failing.discard(name)
        return readings, True


def _metric(reading: Reading) -> Metric:
    family = reading.family
    of_kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = of_kind(family.name, family.help, labels=family.labels)
    for labels, value in reading.samples:
        metric.add_metric(labels, value)
    return metric
