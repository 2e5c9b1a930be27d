"""The host metrics: what node_exporter says of this machine, in its words, small and fast."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import psutil
import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from small_tools import until

from stack.endpoints import HOST, PORTS
from stack.home import is_offline
from stack.hostmetrics import devices, system
from stack.hostmetrics.__main__ import parse_address
from stack.hostmetrics.collector import READERS, HostCollector
from stack.hostmetrics.errors import BadAddress
from stack.hostmetrics.families import COLLECTOR_DURATION, COLLECTOR_SUCCESS, TIME, Reading
from stack.probes import probe_now
from stack.provision import ProgramMissing, provision
from tests.levels import thorough
from tests.ports import free_port
from tests.realprom import running_prometheus

ROOT = Path(__file__).resolve().parents[3]
LINUX = sys.platform == "linux"
FOR_DASHBOARDS = {
    "node_cpu_seconds_total",
    "node_load1",
    "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
    "node_boot_time_seconds",
    "node_time_seconds",
    "node_uname_info",
}


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[psutil.Process]:
    """Run a program until it answers at ``/metrics``, and end it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as stream, subprocess.Popen(command, stdout=stream, stderr=stream, env=environment) as process:
        try:
            until(lambda: probe_now(port, "/metrics").ready or process.poll() is not None, 20.0)
            assert process.poll() is None, log.read_text()
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def exporter(folder: Path) -> Iterator[tuple[psutil.Process, int]]:
    """Run ours on a port of its own."""
    port = free_port()
    command = [sys.executable, "-m", "stack.hostmetrics", f"--listen={HOST}:{port}"]
    with running(command, port, folder / "hostmetrics.log") as process:
        yield process, port


def get(port: int, path: str = "/metrics", accept: str = "text/plain") -> tuple[int, str]:
    """Return status and body of a page."""
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def parse(text: str) -> dict[str, Metric]:
    """Return metrics by the names of their samples."""
    return {sample.name: metric for metric in text_string_to_metric_families(text) for sample in metric.samples}


def values(metric: Metric) -> dict[frozenset[tuple[str, str]], float]:
    """Return values by labels; a label that is empty is none, as for Prometheus."""
    return {frozenset((k, v) for k, v in sample.labels.items() if v): sample.value for sample in metric.samples}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Metric], dict[str, Metric]]:
    """Scrape ours and a real node_exporter with the defaults of its publisher at nearly the same time."""
    if not LINUX or is_offline():
        pytest.skip("node_exporter is fetched for Linux, from a release or from Debian")
    folder, port = tmp_path_factory.mktemp("node"), free_port()
    try:  # into a cache of the test's own: nobody chose that the next `up` runs it
        program = provision(["node_exporter"], cache=folder / "cache")["node_exporter"]
    except ProgramMissing as error:
        if os.environ.get("CI", "").lower() == "true":
            raise
        pytest.skip(str(error))
    command = [
        str(program),
        f"--web.listen-address={HOST}:{port}",
        "--collector.netdev.device-exclude=^$",  # Debian's build leaves out more than its publisher does
        f"--collector.filesystem.mount-points-exclude=^{devices.IGNORED_PLACES.pattern}",
    ]
    with exporter(folder) as (_, ours), running(command, port, folder / "node_exporter.log"):
        return parse(get(ours)[1]), parse(get(port)[1])


@thorough
@pytest.mark.live
def test_every_metric_is_one_of_node_exporters(both: tuple[dict[str, Metric], dict[str, Metric]]) -> None:
    """Names, types, help texts and labels are the same; what dashboards ask for is there."""
    ours, theirs = both
    own = {name for name in ours if name.startswith("node_")}
    assert own >= FOR_DASHBOARDS
    assert not own - set(theirs)
    for name in own:
        mine, real = ours[name], theirs[name]
        assert (mine.type, mine.documentation) == (real.type, real.documentation), name
        labels = {frozenset(label for label, _ in key) for key in values(mine)}
        assert labels <= {frozenset(label for label, _ in key) for key in values(real)}, name


@pytest.mark.live
def test_the_same_things_are_measured_as_by_node_exporter(both: tuple[dict[str, Metric], dict[str, Metric]]) -> None:
    """Processors, devices and file systems are the same ones, but for what only a newer node_exporter leaves out."""
    ours, theirs = both
    for name in sorted(name for name in ours if name.startswith("node_") and "_scrape_" not in name):
        mine, real = set(values(ours[name])), set(values(theirs[name]))
        assert mine <= real, (name, mine - real)
        left_out = {dict(key).get("device", "") for key in real - mine}
        assert all(devices.IGNORED_DISKS.fullmatch(device) for device in left_out), (name, left_out)


@pytest.mark.live
def test_values_are_close_to_node_exporters(both: tuple[dict[str, Metric], dict[str, Metric]]) -> None:
    """Two scrapes right after each other differ by little: units are the same, and so is what is counted."""
    ours, theirs = both
    steady = (
        *("node_memory_MemTotal_bytes", "node_memory_SwapTotal_bytes", "node_filesystem_size_bytes"),
        *("node_filesystem_files", "node_boot_time_seconds", "node_uname_info", "node_filesystem_readonly"),
    )
    for name in steady:
        assert values(ours[name]) == values(theirs[name]), name
    moving = (
        *("node_memory_MemAvailable_bytes", "node_memory_Cached_bytes", "node_memory_Buffers_bytes"),
        *("node_filesystem_avail_bytes", "node_filesystem_free_bytes", "node_filesystem_files_free"),
        *("node_context_switches_total", "node_intr_total", "node_network_receive_bytes_total"),
        *("node_network_receive_packets_total", "node_disk_reads_completed_total", "node_disk_read_bytes_total"),
        *("node_disk_written_bytes_total", "node_disk_read_time_seconds_total", "node_disk_write_time_seconds_total"),
        *("node_disk_io_time_seconds_total", "node_time_seconds"),
    )
    for name in moving:
        mine, real = values(ours[name]), values(theirs[name])
        for key, value in mine.items():
            assert value == pytest.approx(real[key], rel=0.2, abs=50 if "packets" in name else 1e5), (name, key)
    cpu, real_cpu = values(ours["node_cpu_seconds_total"]), values(theirs["node_cpu_seconds_total"])
    assert sum(cpu.values()) == pytest.approx(sum(real_cpu.values()), rel=0.05)


@pytest.mark.live
def test_real_prometheus_scrapes_it(tmp_path: Path) -> None:
    """Prometheus takes every sample, and the usual questions of a host's dashboard have answers."""
    questions = {
        "sum by (cpu) (node_cpu_seconds_total)": psutil.cpu_count(),
        "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 1": 1,
        "sum(node_network_receive_bytes_total)": 1,
        "node_time_seconds - node_boot_time_seconds > 0": 1,
        "node_uname_info": 1,
    }
    with (
        exporter(tmp_path) as (_, port),
        running_prometheus(tmp_path, scrapes={"node": [f"{HOST}:{port}"]}) as prometheus,
    ):

        def ask(query: str) -> list[object]:
            answer = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": query})
            return list(answer.json()["data"]["result"])

        prometheus.wait_for(lambda: bool(ask("node_uname_info")), "the first scrape")
        assert {query: len(ask(query)) for query in questions} == questions
        assert len(ask('up{job="node"} == 1')) == 1


def test_every_metric_is_documented_and_none_besides() -> None:
    """The table of docs/host.md names what the readers give on Linux, families of memory as one."""
    text = (ROOT / "docs/host.md").read_text(encoding="utf-8")
    documented: set[str] = set()
    for row in re.findall(r"^\| (`node_[^|]*) \|", text, flags=re.MULTILINE):
        for name in re.findall(r"`(node_[^`]+)`", row):
            documented |= expanded(name)
    given = {reading.family.name for reader in READERS.values() for reading in reader()}
    given |= {COLLECTOR_SUCCESS.name, COLLECTOR_DURATION.name, *(family.name for family, _ in devices.DISKS.values())}
    given = {"node_memory_*" if name.startswith("node_memory_") else name for name in given}
    assert given == documented if LINUX else given <= documented


def expanded(name: str) -> set[str]:
    """Return the names that a name with alternatives in braces stands for."""
    found = re.search(r"\{([^}]*)\}", name)
    if found is None:
        return {name}
    ways = (name[: found.start()] + each + name[found.end() :] for each in found[1].split(","))
    return {each for way in ways for each in expanded(way)}


def test_it_is_small_and_quick(tmp_path: Path) -> None:
    """It stays below 45 MB, and a scrape costs less than 20 ms of processor time, counted by the kernel."""
    with exporter(tmp_path) as (process, port):
        get(port)
        before = process.cpu_times()
        for _ in range(20):
            assert get(port)[0] == 200
        after = process.cpu_times()
        spent_s = (after.user + after.system - before.user - before.system) / 20
        assert spent_s < 0.020
        assert process.memory_info().rss < 45e6


def test_it_answers_as_a_scrape_target_should(tmp_path: Path) -> None:
    """Health, metrics in both formats, a hint at /, 404 elsewhere, 501 to what is not GET; one connection for all."""
    with exporter(tmp_path) as (_, port):
        assert get(port, "/health") == (200, '{"status":"healthy"}')
        assert get(port, "/elsewhere")[0] == 404
        assert "/metrics" in get(port, "/")[1]
        status, text = get(port, accept="application/openmetrics-text;version=1.0.0")
        assert status == 200
        assert text.endswith("# EOF\n")
        assert "process_resident_memory_bytes" in text
        connection = http.client.HTTPConnection(HOST, port, timeout=10)
        for _ in range(2):
            connection.request("GET", "/health")
            assert connection.getresponse().read()
        connection.request("POST", "/metrics", body=b"")
        assert connection.getresponse().status == 501
        connection.close()


def test_without_an_address_it_listens_where_the_stack_looks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own port, moved by the stack's offset, on loopback."""
    port = free_port()
    monkeypatch.setenv("FIREDRILL_PORT_OFFSET", str(port - PORTS["node"]))
    monkeypatch.delenv("FIREDRILL_LISTEN", raising=False)
    with running([sys.executable, "-m", "stack.hostmetrics"], port, tmp_path / "log") as process:
        addresses = {each.laddr for each in process.net_connections(kind="inet") if each.status == psutil.CONN_LISTEN}
    assert addresses == {(HOST, port)}


def test_it_ends_at_once_when_told_to(tmp_path: Path) -> None:
    """SIGTERM ends it with exit code 0, open connections or not."""
    with exporter(tmp_path) as (process, port):
        connection = http.client.HTTPConnection(HOST, port, timeout=10)
        connection.request("GET", "/health")
        connection.getresponse().read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        connection.close()


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    """The second on a port ends with a message that names it and what to do, and no traceback."""
    with exporter(tmp_path) as (_, port):
        command = [sys.executable, "-m", "stack.hostmetrics", f"--listen={HOST}:{port}"]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert f"cannot listen on {HOST}:{port} (Address already in use)" in second.stderr
    assert "Traceback" not in second.stderr


def test_an_address_is_host_and_port() -> None:
    """What is not is refused with an example."""
    assert parse_address("127.0.0.1:9100") == ("127.0.0.1", 9100)
    for text in ("9100", ":9100", "host:", "host:port", "host:70000", "host:\u0661"):
        with pytest.raises(BadAddress, match=re.escape(f"--listen {text}: give HOST:PORT")):
            parse_address(text)


def test_a_part_that_fails_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """Its success is 0, nothing half read is shown, the rest is as always, and one warning is logged, not three."""

    def broken() -> Iterator[Reading]:
        yield Reading(TIME, [((), 1.0)])
        raise PermissionError(13, "Permission denied", "/proc/diskstats")

    registry = CollectorRegistry()
    registry.register(HostCollector({"diskstats": broken, "loadavg": system.read_load}))
    for _ in range(3):
        found = parse(generate_latest(registry).decode())
    success = {dict(key)["collector"]: value for key, value in values(found["node_scrape_collector_success"]).items()}
    assert success == {"diskstats": 0.0, "loadavg": 1.0}
    assert "node_load1" in found
    assert "node_time_seconds" not in found
    assert [record.getMessage() for record in caplog.records] == [
        "diskstats cannot be read here: PermissionError: [Errno 13] Permission denied: '/proc/diskstats'"
    ]


def test_every_part_can_be_read_here() -> None:
    """Each reader gives values on this machine, except where a machine has no disks."""
    read = {name: list(reader()) for name, reader in READERS.items()}
    assert {name for name, readings in read.items() if not readings} <= {"diskstats"}
    now = next(reading.samples[0][1] for reading in read["time"])
    assert abs(now - time.time()) < 60


def test_without_meminfo_the_common_fields_come_from_psutil(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On a system without /proc the fields that dashboards ask for carry the same names."""
    monkeypatch.setattr(system, "PROC", tmp_path)
    names = {reading.family.name for reading in system.read_memory()}
    assert names == {
        f"node_memory_{field}_bytes" for field in ("MemTotal", "MemAvailable", "MemFree", "SwapTotal", "SwapFree")
    }
    ((labels, _),) = next(iter(system.read_uname())).samples
    assert labels[-1] == ""


def test_meminfo_is_named_as_node_exporter_does() -> None:
    """Kibibytes become bytes with a suffix, counts have none, parentheses become underscores."""
    text = "MemTotal:  2 kB\nActive(anon):   1 kB\nHugePages_Total:       3\n\n"
    assert system._meminfo(text) == {"MemTotal_bytes": 2048, "Active_anon_bytes": 1024, "HugePages_Total": 3}


def test_file_systems_of_other_machines_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that could hang is left out, one that fails is marked, and one that is there has its size."""
    mounts = [
        ("server:/export", "nfs4", "/mnt/far"),
        ("tmpfs", "tmpfs", "/proc/x"),
        ("overlay", "overlay", "/"),
        ("/dev/gone", "ext4", "/no/such/place"),
        ("", "ext4", "/"),
    ]
    parts = [SimpleNamespace(device=device, fstype=kind, mountpoint=place) for device, kind, place in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: parts)
    asked: list[str] = []
    real = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda place: asked.append(place) or real(place))
    read = {reading.family: list(reading.samples) for reading in devices.read_filesystems()}
    assert sorted(asked) == ["/", "/no/such/place"]
    errors = {labels[0]: value for labels, value in read[devices.DEVICE_ERROR]}
    assert errors == {"/dev/gone": 1.0, "none": 0.0}
    ((labels, size),) = read[devices.SIZE]
    assert labels == ("none", "ext4", "/")
    assert size > 0
