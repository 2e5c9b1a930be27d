"""The vocabulary: what a reading of the machine consists of, with the names, types and texts of node_exporter.

Nothing here reads anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Family:
    """One metric: its whole name (a counter's with ``_total``), its type, its help text and the names of its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """The values of one metric at one moment: label values in the order of the family's labels, and the value."""

    family: Family
    samples: Sequence[tuple[tuple[str, ...], float]]


CPU_SECONDS = Family("node_cpu_seconds_total", "counter", "Seconds the CPUs spent in each mode.", ("cpu", "mode"))
CPU_GUEST_SECONDS = Family(
    "node_cpu_guest_seconds_total",
    "counter",
    "Seconds the CPUs spent in guests (VMs) for each mode.",
    ("cpu", "mode"),
)
LOADS = tuple(Family(f"node_load{minutes}", "gauge", f"{minutes}m load average.") for minutes in (1, 5, 15))
BOOT_TIME = Family("node_boot_time_seconds", "gauge", "Node boot time, in unixtime.")
CONTEXT_SWITCHES = Family("node_context_switches_total", "counter", "Total number of context switches.")
INTERRUPTS = Family("node_intr_total", "counter", "Total number of interrupts serviced.")
TIME = Family("node_time_seconds", "gauge", "System time in seconds since epoch (1970).")
UNAME = Family(
    "node_uname_info",
    "gauge",
    "Labeled system information as provided by the uname system call.",
    ("sysname", "release", "version", "machine", "nodename", "domainname"),
)
COLLECTOR_SUCCESS = Family(
    "node_scrape_collector_success", "gauge", "node_exporter: Whether a collector succeeded.", ("collector",)
)
COLLECTOR_DURATION = Family(
    "node_scrape_collector_duration_seconds", "gauge", "node_exporter: Duration of a collector scrape.", ("collector",)
)


def memory(field: str) -> Family:
    """Return the metric of one field of memory information, such as ``MemTotal_bytes``."""
    return Family(f"node_memory_{field}", "gauge", f"Memory information field {field}.")


def network(statistic: str) -> Family:
    """Return the metric of one statistic of network devices, such as ``receive_bytes``."""
    return Family(f"node_network_{statistic}_total", "counter", f"Network device statistic {statistic}.", ("device",))


def disk(name: str, text: str) -> Family:
    """Return the metric of one statistic of disks, such as ``reads_completed``."""
    return Family(f"node_disk_{name}_total", "counter", text, ("device",))


def filesystem(name: str, text: str) -> Family:
    """Return the metric of one property of file systems, such as ``size_bytes``."""
    return Family(f"node_filesystem_{name}", "gauge", text, ("device", "fstype", "mountpoint"))
