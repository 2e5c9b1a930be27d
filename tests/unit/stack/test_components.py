"""The table of components: consistent in itself, and understood by the real programs."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from stack.components import COMPONENTS, BadTable, Plan, check_table, child_environment, prometheus_duration, wanted
from stack.endpoints import MAX_REPLICAS, PORTS, Endpoints
from stack.home import Home
from stack.pace import PRODUCTION, WORKSHOP, Pace
from stack.plan import OwnRules, plan_from_json

ONLY_IN_COMPOSE = {"loki", "mlflow"}
OWN = OwnRules((Path("/rules.yml"),), "shop", Path("/shop.yaml"), Path("/alertmanager.yml"))
OPTIONAL = {name: Path("/opt") / name for name in ("jaeger", "grafana", "node_exporter")}


def plan(pace: Pace = WORKSHOP, *, traffic: bool = True) -> Plan:
    """Return a plan with programs that need not exist."""
    programs = {name: Path("/opt") / name for name in ("prometheus", "alertmanager")}
    return Plan(Home(Path("/tmp/home")), Endpoints(500), pace, traffic, programs)  # noqa: S108 - never written to


def row(name: str) -> str:
    """Return the joined command line of one component."""
    return " ".join(next(c for c in COMPONENTS if c.name == name).argv(plan()))


def test_the_table_is_consistent() -> None:
    """Names are unique, needs are known and free of circles, in any stack every port has one owner at most."""
    check_table(COMPONENTS)
    assert all(component.probe.port in component.ports for component in COMPONENTS)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", component.name) for component in COMPONENTS), "the log's first column"
    used: set[str] = set()
    for given in (plan(), replace(plan(), programs={**plan().programs, **OPTIONAL}, own=OWN)):
        rows = wanted(COMPONENTS, given)
        check_table(rows)
        owners = [port for component in rows for port in {*component.ports, *component.replica_ports}]
        assert len(set(owners)) == len(owners)
        used.update(owners)
    assert used == set(PORTS) - ONLY_IN_COMPOSE


def names(given: Plan) -> set[str]:
    """Return what a stack consists of."""
    return {component.name for component in wanted(COMPONENTS, given)}


def test_a_stack_has_what_its_plan_wants() -> None:
    """Jaeger takes the trace store's place, Grafana comes where it is, the user's rules bring two components."""
    usual = names(plan())
    assert {"tracestore", "node"} <= usual
    assert not usual & {"jaeger", "grafana", "own-prometheus", "own-alertmanager"}
    everything = replace(plan(), programs={**plan().programs, **OPTIONAL}, own=OWN)
    assert names(everything) == {component.name for component in COMPONENTS} - {"tracestore"}
    assert names(everything) - names(replace(everything, without=frozenset({"node"}))) == {"node"}


def test_needs_and_uses_name_only_what_the_stack_runs() -> None:
    """The service waits for whichever store of traces there is, before it is stopped."""
    (service,) = (row for row in wanted(COMPONENTS, plan()) if row.name == "service")
    assert service.uses == ("tracestore",)
    real = replace(plan(), programs={**plan().programs, **OPTIONAL})
    (service,) = (row for row in wanted(COMPONENTS, real) if row.name == "service")
    assert service.uses == ("jaeger",)


def test_a_plan_crosses_to_another_process_whole() -> None:
    """What a detached supervisor reads from its command line is what was meant."""
    given = replace(plan(PRODUCTION, traffic=False), workers=3, without=frozenset({"node"}), own=OWN)
    assert plan_from_json(given.to_json()) == given
    with pytest.raises(ValueError, match="pace 'brisk'"):
        plan_from_json(given.to_json().replace("production", "brisk"))


def test_optional_programs_are_started_on_this_stacks_ports() -> None:
    """Whatever a real Jaeger, Grafana or node_exporter is told names loopback and moved ports."""
    real = replace(plan(), programs={**plan().programs, **OPTIONAL})
    by_name = {component.name: component for component in wanted(COMPONENTS, real)}
    assert "--web.listen-address=127.0.0.1:9600" in by_name["node"].argv(real)
    assert [*by_name["node"].argv(plan())][1:] == ["-m", "stack.hostmetrics", "--listen", "127.0.0.1:9600"]
    jaeger = by_name["jaeger"].environment(real)
    assert {jaeger[f"FIREDRILL_JAEGER_{name}_PORT"] for name in ("QUERY", "OTLP", "OTLP_GRPC", "HEALTH")} == {
        str(port) for port in (17186, 4818, 4817, 13633)
    }
    (config,) = (Path(part.removeprefix("--config=")) for part in by_name["jaeger"].argv(real)[1:])
    assert set(re.findall(r"env:(\w+)", config.read_text(encoding="utf-8"))) == set(jaeger), "each is told and used"
    assert by_name["service"].environment(real)["OTEL_LOGS_EXPORTER"] == "none", "Jaeger takes traces only"
    assert by_name["service"].environment(plan())["OTEL_LOGS_EXPORTER"] == "otlp"


def test_grafana_is_told_where_everything_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its password is the environment's, else one that is made once and kept for its owner alone."""
    monkeypatch.delenv("GF_SECURITY_ADMIN_PASSWORD", raising=False)
    real = replace(plan(), home=Home(tmp_path), programs=OPTIONAL)
    row = next(component for component in COMPONENTS if component.name == "grafana")
    told = row.environment(real)
    assert told["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert told["GF_SERVER_HTTP_PORT"] == "3500"
    assert told["FIREDRILL_PROMETHEUS_URL"] == "http://127.0.0.1:9590"
    assert told["FIREDRILL_INTERVAL"] == "1s"
    assert told["GF_SECURITY_ADMIN_PASSWORD"] == row.environment(real)["GF_SECURITY_ADMIN_PASSWORD"]
    assert real.home.grafana_password_file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("GF_SECURITY_ADMIN_PASSWORD", "chosen")
    assert row.environment(real)["GF_SECURITY_ADMIN_PASSWORD"] == "chosen"  # noqa: S105 - of this test alone


def test_a_table_with_a_mistake_is_refused() -> None:
    """A double name, an unknown need and a circle are each named."""
    one, two = COMPONENTS[0], COMPONENTS[1]
    with pytest.raises(BadTable, match="twice"):
        check_table((one, one))
    with pytest.raises(BadTable, match="needs 'moon'"):
        check_table((replace(two, needs=("moon",)),))
    with pytest.raises(BadTable, match="circle"):
        check_table((replace(one, needs=(two.name,)), replace(two, needs=(one.name,))))


@pytest.mark.parametrize(
    ("seconds", "flag"), [(300.0, "300s"), (20.0, "20s"), (2 / 3, "667ms"), (0.0001, "1ms"), (3600.0, "3600s")]
)
def test_durations_are_written_as_prometheus_reads_them(seconds: float, flag: str) -> None:
    """Seconds become whole seconds or milliseconds, never 0."""
    assert prometheus_duration(seconds) == flag


def test_prometheus_runs_at_the_stacks_pace() -> None:
    """Every duration flag is divided by the pace's factor, retention is not."""
    prometheus = next(c for c in COMPONENTS if c.name == "prometheus")
    workshop, production = (" ".join(prometheus.argv(plan(pace))) for pace in (WORKSHOP, PRODUCTION))
    assert "--query.lookback-delta=20s" in workshop
    assert "--rules.alert.resend-delay=4s" in workshop
    assert "--rules.alert.for-grace-period=40s" in workshop
    assert "--rules.alert.for-outage-tolerance=240s" in workshop
    assert "--query.lookback-delta=300s" in production
    assert "--rules.alert.resend-delay=60s" in production
    assert "--storage.tsdb.retention.time=30d" in workshop
    assert "--storage.tsdb.retention.time=30d" in production


def test_every_component_listens_on_loopback_only() -> None:
    """No command line opens a port to the network, and the moved ports are used."""
    assert "--web.listen-address=127.0.0.1:9590" in row("prometheus")
    assert "--web.listen-address=127.0.0.1:9593" in row("alertmanager")
    assert "--cluster.listen-address= " in row("alertmanager")
    panel = next(component for component in COMPONENTS if component.name == "panel")
    assert child_environment(panel, plan())["FIREDRILL_PANEL_HOST"] == ""
    assert child_environment(panel, plan())["FIREDRILL_PORT_OFFSET"] == "500"
    on_purpose = plan_from_json(replace(plan(), panel_host="192.0.2.7").to_json())
    assert child_environment(panel, on_purpose)["FIREDRILL_PANEL_HOST"] == "192.0.2.7"


def test_children_are_told_everything_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack's own settings win over what stands in the user's environment; models may be chosen there."""
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://elsewhere.example")
    monkeypatch.setenv("MODELS", "iris")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    by_name = {c.name: child_environment(c, plan()) for c in wanted(COMPONENTS, plan())}
    service = by_name["service"]
    assert service["HOST"] == "127.0.0.1"
    assert service["PORT"] == "8500"
    assert service["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4818"
    assert service["OTEL_SERVICE_NAME"] == "firedrill"
    assert service["MODELS"] == "iris"
    assert service["ARTIFACTS_DIR"] == "/tmp/home/artifacts"  # noqa: S108 - never written to
    for environment in by_name.values():
        assert environment["FIREDRILL_HOME"] == "/tmp/home"  # noqa: S108 - as above
        assert environment["FIREDRILL_PORT_OFFSET"] == "500"
        assert environment["FIREDRILL_PACE"] == "workshop"
        assert environment["PYTHONPATH"].endswith(os.pathsep + "/elsewhere")


def test_replicas_share_a_port_and_have_their_own() -> None:
    """Three replicas: one service port, three of control and of metrics, all probed, no port twice."""
    service = next(c for c in COMPONENTS if c.name == "service")
    three = replace(plan(), workers=3)
    assert service.listens_on(1) == ("service", "control")
    names = service.listens_on(3)
    assert [Endpoints(500).port(name) for name in names] == [8500, 9100, 9101, 9102, 9120, 9121, 9122]
    assert [three.endpoints.port(name) for name in service.probed(3)] == [8500, 9120, 9121, 9122]
    assert service.probed(1) == ("service",)
    assert [*service.argv(three)][1:] == ["-m", "faults.replicas"]
    assert [*service.argv(plan())][1:] == ["-m", "faults.serve"]
    assert child_environment(service, three)["WORKERS"] == "3"
    assert {child_environment(c, three)["FIREDRILL_WORKERS"] for c in wanted(COMPONENTS, three)} == {"3"}
    others = [c for c in COMPONENTS if c is not service]
    assert all(c.listens_on(3) == c.ports for c in others)
    full = replace(plan(), programs={**plan().programs, **OPTIONAL}, own=OWN)
    everything = [Endpoints().port(name) for c in wanted(COMPONENTS, full) for name in c.listens_on(MAX_REPLICAS)]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(("traffic", "rate"), [(True, "5"), (False, "0")])
def test_without_traffic_the_generator_runs_at_rate_0(traffic: bool, rate: str) -> None:
    """``--no-traffic`` starts the generator all the same, silent."""
    generator = next(c for c in COMPONENTS if c.name == "traffic")
    assert generator.environment(plan(traffic=traffic))["FIREDRILL_TRAFFIC_RATE"] == rate


def test_the_documentation_says_what_the_table_says() -> None:
    """Each component has its row in docs/stack.md, with its ports, its probe, and what it starts after."""
    text = (Path(__file__).parents[3] / "docs" / "stack.md").read_text(encoding="utf-8")
    rows = {cells[1].strip(" `"): cells for line in text.splitlines() if len(cells := line.split("|")) == 8}
    for component in COMPONENTS:
        _, _, _, ports, probe, needs, before, _ = rows[component.name]
        assert {str(PORTS[port]) for port in component.ports} == set(re.findall(r"\d+", ports))
        assert f"`{component.probe.path}`" in probe
        assert set(needs.replace(",", " ").split()) == set(component.needs)
        assert set(before.replace(",", " ").split()) == {*component.needs, *component.uses}
