"""The whole stack on a real engine: started, looked at, put to a drill, hurt and stopped by the usual commands."""

from __future__ import annotations

import http.client
import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import standins
from container_stack import ContainerStack, firedrill

from faults.client import ConductorClient
from stack import docker_stack
from stack.clients.jaeger import JaegerClient
from stack.clients.prometheus import PrometheusClient
from stack.compose import read_compose
from stack.docker_containers import SERVICE
from stack.docker_images import ImageMissing, build_image, ensure_images
from stack.docker_record import load_record

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
PATIENCE_S = 90.0


def eventually(what: str, holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    """Wait until ``holds``, or fail saying ``what`` did not come about."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {what}"
        time.sleep(0.2)


def test_everything_is_ready_after_up(stack: ContainerStack) -> None:
    """Every component is ready, has an address on loopback that answers, and a share of the memory."""
    now = stack.status()
    assert now["state"] == "up", now
    assert now["runtime"] == "docker"
    names = {part["name"] for part in now["components"]}
    assert {"service", "traffic", "conductor", "panel", "prometheus", "alertmanager", "jaeger", "node"} <= names
    assert all(part["memory_bytes"] > 0 and part["pid"] for part in now["components"])
    assert "Open the panel at" in stack.up_text
    for part in now["components"]:
        connection = http.client.HTTPConnection("127.0.0.1", part["url"].split(":")[2].split("/")[0], timeout=10)
        connection.request("GET", "/" + part["url"].split("/", 3)[3])
        assert connection.getresponse().status < 400, part["url"]
        connection.close()


def test_containers_are_what_the_compose_file_says(stack: ContainerStack) -> None:
    """Ports on loopback only, memory limits, restart policy, health checks; our own parts without privileges."""
    for name, container in stack.project.containers().items():
        host = container.attrs["HostConfig"]
        addresses = {bound["HostIp"] for ports in (host["PortBindings"] or {}).values() for bound in ports}
        assert addresses <= {"127.0.0.1"}, name
        assert host["Memory"] > 0, name
        assert host["Privileged"] is False, name
        if name != "config":
            assert host["RestartPolicy"]["Name"] == "unless-stopped", name
            assert container.attrs["Config"]["Healthcheck"]["Test"], name
        if container.attrs["Config"]["Image"].startswith("firedrill/"):
            assert container.attrs["Config"]["User"] == "1000:1000", name
            assert host["CapDrop"] == ["ALL"], name
    eventually(
        "the engine's own health checks all pass",
        lambda: all(
            container.attrs["State"]["Health"]["Status"] == "healthy"
            for name, container in stack.project.containers().items()
            if name != "config"
        ),
    )


def test_prometheus_scrapes_every_part(stack: ContainerStack) -> None:
    """Each job is up; only a stand-in for Jaeger has no metrics at Jaeger's port."""
    prometheus = PrometheusClient(stack.endpoints.url("prometheus"))
    wanted = {"firedrill", "prometheus", "alertmanager", "node"}
    if not standins.is_stand_in(stack.client, standins.JAEGER):
        wanted.add("jaeger")

    def scraped() -> set[str]:
        return {series.labels["job"] for series in prometheus.query("up == 1")}

    eventually(f"{wanted} are scraped", lambda: wanted <= scraped())
    assert prometheus.query("sum(node_memory_MemTotal_bytes)")


def test_a_library_drill_passes(stack: ContainerStack) -> None:
    """The command line runs a drill: fault, alert, delivery and resolution, across containers."""
    done = stack.firedrill("drill", "run", "error-burst")
    assert "PASSED" in done.stdout, done.stdout


def test_traces_are_found_and_linked(stack: ContainerStack) -> None:
    """Spans of the traffic are in Jaeger's place, found through its published port."""
    jaeger = JaegerClient(stack.endpoints.url("tracestore"))
    eventually("the service has traces", lambda: "firedrill" in jaeger.services())
    eventually("predictions are found", lambda: bool(jaeger.search("firedrill", limit=5)))


def test_the_control_endpoint_wants_the_token(stack: ContainerStack) -> None:
    """Without the token nobody lights a fault, and a name that is none of the stack's is refused."""
    for headers, status in (({}, 401), ({"Host": "evil.example"}, 403)):
        connection = http.client.HTTPConnection("127.0.0.1", stack.endpoints.port("control"), timeout=10)
        connection.request("GET", "/faults", headers=headers)
        assert connection.getresponse().status == status
        connection.close()
    client = ConductorClient(stack.endpoints.url("conductor"), stack.home.token())
    assert any(kind.kind == "latency" for kind in client.kinds())


def test_the_command_line_works_inside(stack: ContainerStack) -> None:
    """In a container the same commands know where the parts are: a Compose user needs no Python of their own."""
    container = stack.project.containers()["conductor"]
    code, output = container.exec_run(["firedrill", "status", "--json"])
    inside = json.loads(output)
    assert (code, inside["state"], inside["runtime"]) == (0, "up", "docker"), output.decode()
    panel = next(part for part in inside["components"] if part["name"] == "panel")
    assert panel["url"] == stack.component("panel")["url"]
    code, output = container.exec_run(["firedrill", "fault", "list"])
    assert code == 0, output.decode()


def test_the_panel_is_drawn_and_links_to_this_machine(stack: ContainerStack) -> None:
    """Its pages come without an error, from data of the other containers; a trace's link is of this machine."""
    script = (
        "from streamlit.testing.v1 import AppTest; from panel.sources import Sources;"
        "page = AppTest.from_file('/app/panel/app.py', default_timeout=60).run();"
        "assert not page.exception, page.exception;"
        "assert len(page.main) > 3, page.main;"
        "sources = Sources.from_environment();"
        "print(sources.status.get().value.state, sources.traces.page_url('abc'))"
    )
    panel = stack.project.containers()["panel"]
    code, output = panel.exec_run(["python", "-c", script], workdir="/")
    assert code == 0, output.decode()
    state, link = output.decode().split()[-2:]
    assert (state, link) == ("up", stack.endpoints.link("tracestore", "/trace/abc"))


def test_logs_come_from_the_containers(stack: ContainerStack) -> None:
    """`logs` shows the lines of all containers in the order of their times, or those of one."""
    lines = stack.firedrill("logs", "--lines", "200").stdout.splitlines()
    stamps = [line.split(" ", 1)[0] for line in lines if line[:2] == "20"]
    assert stamps == sorted(stamps)
    assert any(" service " in line for line in lines)
    own = stack.firedrill("logs", "prometheus", "--lines", "5").stdout.splitlines()
    assert all(" prometheus " in line for line in own)


def test_a_paused_container_is_shown_and_goes_on(stack: ContainerStack) -> None:
    """`pause` freezes a part, the status says so; after `unpause` everything is up again."""
    docker_stack.pause(stack.home, "traffic")
    try:
        part = stack.component("traffic")
        assert (part["state"], part["detail"]) == ("down", "is paused")
        assert stack.status()["state"] == "degraded"
    finally:
        docker_stack.unpause(stack.home, "traffic")
    eventually("all is up again", lambda: stack.status()["state"] == "up")


def test_what_ends_is_started_again_by_the_engine(stack: ContainerStack) -> None:
    """A process that dies in its container comes back, and the restart is counted."""
    container = stack.project.containers()["alertmanager"]
    before = container.attrs["RestartCount"]
    os.kill(int(container.attrs["State"]["Pid"]), signal.SIGKILL)
    eventually("the restart is counted", lambda: stack.component("alertmanager")["restarts"] > before)
    eventually("all is up again", lambda: stack.status()["state"] == "up")


def test_a_second_up_is_refused(stack: ContainerStack) -> None:
    """What runs is said, by either runtime, and nothing is touched."""
    for runtime in ("docker", "native"):
        done = stack.firedrill("up", "--detach", "--runtime", runtime, check=False)
        assert done.returncode != 0
        assert "firedrill down" in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
    assert stack.status()["state"] == "up"


def test_down_leaves_the_volumes_and_up_finds_them_again(stack: ContainerStack) -> None:
    """After `down` no container and no network is left; the next `up` has the history of the one before."""
    prometheus = PrometheusClient(stack.endpoints.url("prometheus"))
    seen = prometheus.query("count_over_time(up{job='firedrill'}[1h])")[0].value
    stack.firedrill("down")
    assert stack.project.containers() == {}
    assert stack.client.networks.list(names=[f"^{stack.project.network}$"]) == []
    assert load_record(stack.home) is None
    assert stack.status()["state"] == "down"
    leave_out = [part for name in stack.without for part in ("--without", name)]
    offset = str(stack.endpoints.offset)
    stack.firedrill("up", "--runtime", "docker", "--detach", "--port-offset", offset, *leave_out)
    again = PrometheusClient(stack.endpoints.url("prometheus"))
    eventually(
        "the history is there",
        lambda: any(series.value >= seen for series in again.query("count_over_time(up{job='firedrill'}[1h])")),
    )


def test_a_taken_port_stops_the_start_before_anything_runs(stack: ContainerStack, tmp_path: Any) -> None:
    """A second stack on the same ports names who holds them and leaves no container."""
    environment = {
        **stack.environment,
        "FIREDRILL_HOME": str(tmp_path),
        "FIREDRILL_PROJECT": f"{stack.project.name}-second",
    }
    leave_out = [part for name in stack.without for part in ("--without", name)]
    offset = str(stack.endpoints.offset)
    done = firedrill(
        environment, "up", "--runtime", "docker", "--detach", "--port-offset", offset, *leave_out, check=False
    )
    assert done.returncode != 0
    assert "is in use" in done.stderr
    assert stack.client.containers.list(all=True, filters={"name": f"{stack.project.name}-second"}) == []


def test_an_image_that_cannot_be_had_is_named(engine: Any) -> None:
    """The message names the image, the component and what can be done without it."""
    service = read_compose({}).services["grafana"].model_copy(update={"image": "firedrill.invalid/nothing:1"})
    with pytest.raises(ImageMissing, match=r"grafana needs the image firedrill\.invalid/nothing:1.*--without grafana"):
        ensure_images(engine, {"grafana": service}, standins.ROOT, lambda _text: None)


def test_the_image_of_the_service_alone_becomes_healthy(engine: Any, images: tuple[str, ...]) -> None:
    """The Dockerfile's last stage is the inference service by itself, for a user without rights."""
    tag = "firedrill/service:0.1.0"
    build_image(engine, tag, standins.ROOT, arguments={"WITH_TORCH": "0"})
    container = engine.containers.run(
        tag,
        detach=True,
        read_only=True,
        tmpfs={"/tmp": ""},  # noqa: S108 - in the container
        cap_drop=["ALL"],
        labels={SERVICE: "alone"},
    )
    try:
        eventually("it is healthy", lambda: _health(container) == "healthy")
        assert container.exec_run(["id", "-u"]).output.strip() == b"1000"
    finally:
        container.remove(v=True, force=True)


def _health(container: Any) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])
