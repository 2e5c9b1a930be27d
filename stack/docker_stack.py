"""The Docker runtime: a stack in containers, with the verbs of the native one, through Docker's SDK.

What runs is what docker-compose.yml says. Containers are restarted by the engine; no process of ours stays behind.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stack.compose import COMPOSE_FILE, Compose, Service
from stack.docker_containers import Project, asking
from stack.docker_engine import DockerError, connect
from stack.docker_images import ensure_images
from stack.docker_options import Options, compose_files, read_stack
from stack.docker_record import DockerRecord, forget_record, load_record, project_name
from stack.endpoints import PORTS, Endpoints
from stack.events import Event, OnEvent, ignore
from stack.home import Home
from stack.locks import FileLock, lock_path
from stack.ports import check_ports
from stack.probes import probe_now
from stack.supervisor import StackNotReady

READY_WITHIN_S = 180.0
LAST_WORDS = 15
POLL_S = 0.1
RUN_PATH = "/home/firedrill/run"
TOKEN_PATH = f"{RUN_PATH}/token"


class ContainersUp(DockerError):  # noqa: N818 - reads as a fact where it is raised
    """The stack runs in containers already."""

    def __init__(self, project: str) -> None:
        super().__init__(
            f"the stack {project} runs in containers already; see `firedrill status`, stop it by `firedrill down`"
        )


class NoSuchContainer(DockerError):  # noqa: N818 - as above
    """The stack has no container of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no container {name!r} in this stack; there are: {', '.join(known) or 'none'}")


def up(options: Options, *, on_event: OnEvent = ignore) -> DockerRecord:
    """Bring the stack up in containers; return when everything is ready.

    Raises ``EngineUnavailable``, ``ImageMissing``, ``BuildFailed``, ``ContainersUp``, ``PortBusy``, ``EngineRefused``,
    and ``StackNotReady`` after having removed again what was started. Volumes stay.
    """
    client = connect()
    compose, services = read_stack(options, _secrets(options, on_event))
    folder = compose_files()[0].parent
    project = Project(client, compose.name, folder)
    running = [each for each in project.containers().values() if each.status in {"running", "paused"}]
    if running:
        raise ContainersUp(project.name)
    lock = FileLock(lock_path(options.home))
    if not lock.acquire(within_s=0.3):
        raise ContainersUp(project.name)
    try:

        def say(text: str) -> None:
            on_event(Event(kind="preparing", text=text))

        ensure_images(client, services, folder, say)
        names = _published_names(services)
        check_ports(Endpoints(options.offset), names)
        return _start(project, compose, services, options, on_event)
    finally:
        lock.release()


def _secrets(options: Options, on_event: OnEvent) -> dict[str, str]:
    """Return the password of Grafana's admin, made and said once where nobody chose one."""
    if "grafana" in options.without:
        return {}
    known = options.home.grafana_password_file.exists()
    password = options.home.grafana_password()
    if not known and options.home.grafana_password_file.exists():
        text = f"Grafana's user is admin, its password {password} (kept in {options.home.grafana_password_file})"
        on_event(Event(kind="preparing", text=text))
    return {"GF_SECURITY_ADMIN_PASSWORD": password}


def _published_names(services: Mapping[str, Service]) -> dict[str, str]:
    """Return the names of all ports that ``services`` publish, and whose each is."""
    by_number = {number: name for name, number in PORTS.items()}
    return {by_number[port.port]: name for name, service in services.items() for port in service.published()}


def _start(
    project: Project, compose: Compose, services: dict[str, Service], options: Options, on_event: OnEvent
) -> DockerRecord:
    began = time.monotonic()
    _remove(list(project.containers().values()))
    try:
        project.prepare(compose, services)
        _run_in_order(project, services, options, on_event)
    except BaseException:
        _remove(list(project.containers().values()))
        project.remove_network()
        raise
    record = DockerRecord(
        project=project.name,
        offset=options.offset,
        pace=options.pace.name,
        traffic=options.traffic,
        workers=options.workers,
        started_at=time.time(),
        components=tuple(services),
    )
    record.save(options.home)
    took = time.monotonic() - began
    on_event(Event(kind="up", text=f"everything is ready after {took:.1f} s", seconds=took))
    return record


def _run_in_order(project: Project, services: dict[str, Service], options: Options, on_event: OnEvent) -> None:
    """Start each service as soon as what it depends on has come so far; raise ``StackNotReady``."""
    containers = {name: project.create(name, service) for name, service in services.items()}
    first = next(iter(containers.values()))
    project.put(first, TOKEN_PATH, options.home.token(), mode=0o640)
    started: dict[str, float] = {}
    done: set[str] = set()
    deadline = time.monotonic() + READY_WITHIN_S
    while len(done) < len(services):
        for name, service in services.items():
            waits = [needed for needed in service.depends_on if needed in services and needed not in done]
            if name not in started and not waits:
                with asking(f"start {name}"):
                    containers[name].start()
                started[name] = time.monotonic()
                on_event(Event(kind="starting", component=name, text="started"))
        late = [name for name in services if name in started and name not in done]
        for name in late:
            missing = _missing(containers[name], services[name])
            if missing is None:
                done.add(name)
                took = time.monotonic() - started[name]
                what = "done" if services[name].one_off else "ready"
                on_event(Event(kind="ready", component=name, text=f"{what} after {took:.1f} s", seconds=took))
            elif containers[name].status == "exited" or time.monotonic() >= deadline:
                raise StackNotReady(name, missing, _last_words(containers[name]))
        time.sleep(POLL_S)


def _missing(container: Any, service: Service) -> str | None:
    """Return what a started service still lacks to count as ready, ``None`` where it lacks nothing.

    Its health check's question is put from here, through the published port: the engine asks every few seconds only.
    """
    with asking("look at a container"):
        container.reload()
    state = container.attrs["State"]
    if container.status == "exited":
        code = int(state["ExitCode"])
        return None if service.one_off and code == 0 else f"it ended with exit code {code}"
    if service.one_off:
        return "is still at work"
    if state.get("Restarting") or container.attrs.get("RestartCount"):
        return f"it ended with exit code {state['ExitCode']} and was started again"
    asked = service.healthcheck.asks if service.healthcheck is not None else None
    port = next((each.published for each in service.published() if asked is not None and each.port == asked[0]), None)
    if asked is not None and port is not None:
        answer = probe_now(port, asked[1], timeout_s=1.0)
        return None if answer.ready else answer.reason
    health = state.get("Health", {}).get("Status", "healthy")
    return None if health == "healthy" else f"its health check says {health}"


def _last_words(container: Any) -> tuple[str, ...]:
    with asking("read a log"):
        return tuple(container.logs(tail=LAST_WORDS).decode("utf-8", "replace").splitlines())


def down(home: Home) -> tuple[str, ...]:
    """Stop and remove the containers and the network of this home's stack; return the services. Volumes stay."""
    record = load_record(home)
    name = record.project if record is not None else project_name(0)
    project = Project(connect(), name, COMPOSE_FILE.parent)
    containers = project.containers()
    order = record.components if record is not None else tuple(containers)
    ranked = sorted(containers, key=lambda each: order.index(each) if each in order else -1, reverse=True)
    _remove([containers[each] for each in ranked])
    project.remove_network()
    forget_record(home)
    return tuple(name for name in ranked if containers[name].status not in {"exited", "created"})


def _remove(containers: list[Any]) -> None:
    """Stop all at once, each with its own grace, and remove them."""

    def end(container: Any) -> None:
        with asking(f"stop {container.name}"):
            if container.status == "paused":
                container.unpause()
            container.stop(timeout=5)
            container.remove(v=True, force=True)  # v: what an image declares as a volume and nobody named

    if containers:
        with ThreadPoolExecutor(max_workers=len(containers)) as pool:
            list(pool.map(end, containers))


def _container(home: Home, name: str) -> Any:
    record = load_record(home)
    found = Project(connect(), record.project, COMPOSE_FILE.parent).containers() if record is not None else {}
    if name not in found:
        raise NoSuchContainer(name, tuple(found))
    return found[name]


def put_file(home: Home, name: str, file: str, content: str) -> None:
    """Write a file that only its owner can read into ``run`` of a component's container."""
    record = load_record(home)
    project = Project(connect(), record.project if record is not None else project_name(0), COMPOSE_FILE.parent)
    project.put(_container(home, name), f"{RUN_PATH}/{file}", content, mode=0o600)


def restart(home: Home, name: str) -> None:
    """Stop a component's container and start it again."""
    container = _container(home, name)
    with asking(f"restart {name}"):
        container.restart(timeout=5)


def pause(home: Home, name: str) -> None:
    """Freeze a component's container: it holds its connections and answers nothing."""
    container = _container(home, name)
    with asking(f"pause {name}"):
        container.pause()


def unpause(home: Home, name: str) -> None:
    """Let a frozen container go on."""
    container = _container(home, name)
    with asking(f"unpause {name}"):
        container.unpause()


def kill(home: Home, name: str) -> None:
    """End what runs in a component's container by SIGKILL; the engine starts it again where its policy says so."""
    container = _container(home, name)
    with asking(f"kill {name}"):
        container.kill()
