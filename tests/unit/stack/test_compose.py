"""docker-compose.yml against the table of components, and the reader of it: neither can drift from the other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import MappingProxyType

import pytest

from stack.catalogue import BUNDLES, OPTIONAL_BUNDLES
from stack.commands import FOR_OUTAGE_TOLERANCE_S, alertmanager, prometheus, service_environment
from stack.components import COMPONENTS
from stack.compose import Compose, ComposeUnreadable, Service, read_compose
from stack.docker_options import Options, UnknownService, read_stack, variables
from stack.endpoints import HOST, PORTS, Endpoints
from stack.home import Home, endpoints_from_environment
from stack.pace import PRODUCTION, WORKSHOP
from stack.plan import Plan
from stack.rendering import jobs_of

ROWS = {row.name: row for row in COMPONENTS}
IN_CONTAINERS = [name for name in ROWS if not name.startswith("own-") and name != "tracestore"]
"""Every component but those of the user's own rules, which need files of this machine, and what Jaeger stands for."""
UNPUBLISHED = {"jaeger_grpc", "jaeger_metrics", "jaeger_health"}
"""Ports that only containers ask one another at."""
HOME = Home(Path("/home/firedrill"))


@pytest.fixture
def compose() -> Compose:
    """Return the file as it stands, with no variable set."""
    return read_compose({})


def plan(compose: Compose) -> Plan:
    """Return the plan that the native runtime would have, on the hosts of the containers."""
    hosts = compose.services["config"].environment["FIREDRILL_HOSTS"]
    pairs = [(name, host) for name, _, host in (each.strip().partition("=") for each in hosts.split(","))]
    programs = ("prometheus", "alertmanager", "jaeger", "grafana", "node_exporter")
    return Plan(
        home=HOME,
        endpoints=Endpoints(hosts=MappingProxyType(dict(pairs))),
        pace=WORKSHOP,
        traffic=True,
        programs={name: Path(name) for name in programs},
    )


def test_every_component_has_its_container(compose: Compose) -> None:
    """Each row that can be run in a container is a service of the same name, and no service is unknown to the table."""
    assert set(IN_CONTAINERS) <= set(compose.services)
    assert set(compose.services) - set(IN_CONTAINERS) == {"config", "loki", "mlflow"}
    assert set(compose.started()) == {*IN_CONTAINERS, "config"}


@pytest.mark.parametrize("name", IN_CONTAINERS)
def test_ports_are_those_of_the_table(compose: Compose, name: str) -> None:
    """A container listens and is published where the component does, moved by the same offset."""
    wanted = {PORTS[port] for port in ROWS[name].ports if port not in UNPUBLISHED}
    assert {port.port for port in compose.services[name].published()} == wanted
    assert {port.published for port in compose.services[name].published()} == wanted
    moved = read_compose(variables(Options(HOME, offset=1000))).services[name]
    assert {port.published for port in moved.published()} == {port + 1000 for port in wanted}


@pytest.mark.parametrize("name", [name for name in IN_CONTAINERS if name not in {"jaeger", "node"}])
def test_the_health_check_asks_what_the_probe_asks(compose: Compose, name: str) -> None:
    """The engine and the native runtime have the same idea of ready; Jaeger and node_exporter are asked for a page."""
    probe = ROWS[name].probe
    check = compose.services[name].healthcheck
    assert check is not None
    assert check.asks == (PORTS[probe.port], probe.path)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if name in IN_CONTAINERS and row.needs])
def test_what_a_component_needs_is_healthy_before(compose: Compose, name: str) -> None:
    """The needs of the table are dependencies of the file."""
    for needed in ROWS[name].needs:
        assert compose.services[name].depends_on[needed].condition == "service_healthy"


def test_only_the_panel_is_opened_to_a_network_and_only_on_purpose() -> None:
    """Its port alone is published on the address that was chosen, and its process told, so that it asks for a login."""
    opened = read_compose(variables(Options(HOME, panel_host="192.0.2.7")))
    elsewhere = {name for name, each in opened.services.items() if any(p.address != HOST for p in each.published())}
    assert elsewhere == {"panel"}
    assert opened.services["panel"].environment["FIREDRILL_PANEL_HOST"] == "192.0.2.7"
    assert opened.services["panel"].command == ("python", "-m", "panel.serve")


def test_every_service_is_bounded_and_reachable_from_this_machine_only(compose: Compose) -> None:
    """Loopback ports, pinned tags, a memory limit, a health check and a restart policy, without exception."""
    for name, service in compose.services.items():
        assert all(port.address == "127.0.0.1" for port in service.published()), name
        tag = service.image.rpartition(":")[2]
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), service.image
        assert service.mem_limit >= 64 * 1024**2, name
        assert "no-new-privileges:true" in service.security_opt, name
        if name != "config":
            assert service.healthcheck is not None, name
            assert service.restart == "unless-stopped", name
        for mount in service.mounts():
            assert mount.read_only or (mount.named and mount.source in compose.volumes), mount
    used = {mount.source for service in compose.services.values() for mount in service.mounts() if mount.named}
    assert used == set(compose.volumes)


def test_images_are_the_pinned_versions_of_the_programs(compose: Compose) -> None:
    """The same version is fetched as a program and pulled as an image."""
    pinned = {bundle.name: bundle.release for bundle in (*BUNDLES, *OPTIONAL_BUNDLES)}
    for name in ("prometheus", "alertmanager", "jaeger", "grafana"):
        assert compose.services[name].image.rpartition(":")[2].removeprefix("v") == pinned[name]
    assert compose.services["node"].image.rpartition(":")[2].removeprefix("v") == pinned["node_exporter"]


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_flags_are_those_of_the_native_runtime(compose: Compose, name: str) -> None:
    """But for where it listens, keeps its data, and is found by a browser, each flag is the same."""
    argv = {"prometheus": prometheus, "alertmanager": alertmanager}[name](plan(compose))
    elsewhere = {"--web.listen-address", "--web.external-url", "--storage.tsdb.path", "--storage.path"}

    def flags(words: tuple[str, ...]) -> dict[str, str]:
        pairs = {key: value for key, _, value in (word.partition("=") for word in words)}
        return {key: value for key, value in pairs.items() if key not in elsewhere}

    assert flags(compose.services[name].command or ()) == flags(tuple(argv[1:]))


def test_the_service_gets_the_settings_of_the_native_runtime(compose: Compose) -> None:
    """The same environment, with the container's addresses in it."""
    wanted = dict(service_environment(plan(compose)))
    given = compose.services["service"].environment
    for name in ("HOST", "PORT"):  # the stack's own answer to both is FIREDRILL_LISTEN and the table of ports
        wanted.pop(name)
    assert {name: given.get(name) for name in wanted} == wanted


def test_every_port_has_a_host_and_the_parts_find_each_other(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a container is told names the container of every port, and a browser gets addresses of this machine."""
    environment = read_compose(variables(Options(HOME, offset=1000))).services["panel"].environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    endpoints = endpoints_from_environment()
    for name in PORTS:
        if not name.startswith("own_"):
            assert endpoints.host(name) in compose.services, name
    assert endpoints.url("prometheus", "/x") == "http://prometheus:9090/x"
    assert endpoints.link("prometheus", "/x") == "http://127.0.0.1:10090/x"
    assert endpoints.url("control#1") == "http://service:8601"


def test_the_defaults_are_workshop_pace(compose: Compose) -> None:
    """`docker compose up` alone gives what `up --runtime docker` gives, and the other pace changes the flags."""
    bare = {name: text for name, text in variables(Options(HOME)).items() if name not in os.environ}
    assert read_compose(bare) == compose
    slow = read_compose(variables(Options(HOME, pace=PRODUCTION))).services["prometheus"].command or ()
    assert f"--rules.alert.for-outage-tolerance={FOR_OUTAGE_TOLERANCE_S:g}s" in slow


def test_what_is_left_out_is_neither_started_nor_scraped(compose: Compose) -> None:
    """The parts that a stack has decide over the jobs; chosen ones are added to both."""
    _, services = read_stack(Options(HOME, without=("grafana",), chosen=("loki",)))
    assert "grafana" not in services
    assert services["service"].environment["OTEL_LOGS_EXPORTER"] == "otlp"
    jobs = jobs_of(services["config"].environment["FIREDRILL_PARTS"].split(","))
    assert jobs["loki"] == "loki"
    assert jobs["firedrill"] == "service"
    assert "grafana" not in jobs
    with pytest.raises(UnknownService, match="nonsense"):
        read_stack(Options(HOME, without=("nonsense",)))


def test_a_service_starts_after_what_it_depends_on(compose: Compose) -> None:
    """The order is one in which every dependency stands before."""
    order = list(compose.started(profiles=("loki", "mlflow")))
    assert set(order) == set(compose.services)
    for name in order:
        assert all(order.index(needed) < order.index(name) for needed in compose.services[name].depends_on)


def test_the_socket_is_mounted_by_the_override_alone(compose: Compose) -> None:
    """Who wants faults on containers says so by a second file; the first never hands out the engine."""
    root = Path(__file__).resolve().parents[3]
    both = read_compose({"DOCKER_GID": "999"}, (root / "docker-compose.yml", root / "docker-compose.socket.yml"))

    def holders(read: Compose) -> list[str]:
        return [
            name
            for name, each in read.services.items()
            if any("docker.sock" in mount.source for mount in each.mounts())
        ]

    assert holders(compose) == []
    assert holders(both) == ["conductor"]
    assert both.services["conductor"].group_add == ("999",)
    with pytest.raises(ComposeUnreadable, match="DOCKER_GID"):
        read_compose({}, (root / "docker-compose.yml", root / "docker-compose.socket.yml"))


def written(tmp_path: Path, text: str) -> Path:
    """Write a Compose file."""
    path = tmp_path / "compose.yml"
    path.write_text(text)
    return path


def test_variables_are_replaced_as_compose_does(tmp_path: Path) -> None:
    """Defaults for what is unset or empty, a dollar for two, an empty text for nothing at all."""
    path = written(
        tmp_path,
        "name: ${A:-a}${B-b}${C}$$\nservices:\n  x: {image: 'i:1', mem_limit: 1m, environment: {N: 1, T: true}}\n",
    )
    read = read_compose({"B": ""}, (path,))
    assert read.name == "a$"
    assert read_compose({"A": "1", "B": "2", "C": "3"}, (path,)).name == "123$"
    assert read.services["x"].environment == {"N": "1", "T": "true"}
    assert read.services["x"].mem_limit == 1024**2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: a\nservices:\n  x: {image: i, mem_limit: 1m, privileged: true}\n", "services.x.privileged"),
        ("name: a\nservices:\n  x: {image: i}\n", "services.x.mem_limit"),
        ("- a\n", "not a Compose file"),
        ("name: [\n", "expected"),
        ("name: ${A:?say what}\nservices: {}\n", "say what"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """A key that would be passed over in silence stops the start, with its place in the file."""
    with pytest.raises(ComposeUnreadable, match=re.escape(problem) if "." in problem else problem):
        read_compose({}, (written(tmp_path, text),))


def test_times_and_sizes_are_read(compose: Compose) -> None:
    """Seconds and bytes, whatever they are written in."""
    service: Service = compose.services["service"]
    assert service.healthcheck is not None
    assert (service.healthcheck.interval, service.healthcheck.start_period) == (5.0, 120.0)
    assert service.mem_limit == 2 * 1024**3
    assert service.stop_grace_period == 5.0
