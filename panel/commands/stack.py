"""``firedrill up``, ``down``, ``status``, ``logs``, ``doctor``: the stack as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Annotated

import typer
from rich.table import Table

from panel.access.entrance import fits_containers
from panel.access.opening import VARIABLE
from panel.commands.access import chosen_password, opening_of
from panel.commands.access import tell as tell_of_panel
from panel.commands.console import OUT, AsJson, CommandError, seconds
from panel.commands.containers import attend, start
from stack import docker_options, native, runtimes
from stack import doctor as diagnosis
from stack.components import COMPONENTS
from stack.endpoints import MAX_REPLICAS
from stack.events import Event
from stack.home import Home
from stack.logbook import LogLine
from stack.own.choice import AppOptions, choose_app, choose_own
from stack.pace import PACES, WORKSHOP
from stack.runtimes import Choice, NotInContainers, read_status
from stack.status import StackStatus

MARKS: Mapping[str, str] = MappingProxyType(
    {
        "ready": "[green]● ready[/]",
        "starting": "[yellow]◌ starting[/]",
        "down": "[bold red]✗ down[/]",
        "stopped": "[dim]– stopped[/]",
    }
)
NONE: list[str] = []
SHOWN = frozenset({"preparing", "ready", "ended", "gave up", "failed", "up", "stopping"})
"""Which of the supervisor's words are worth a line; the log has all of them."""


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when everything is ready; it goes on running.")
    ] = False,
    pace: Annotated[
        str, typer.Option(help="workshop: every duration of the rules divided by 15. production: as written.")
    ] = WORKSHOP.name,
    port_offset: Annotated[int, typer.Option(help="Move every port by so much.")] = 0,
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_REPLICAS, help="Replicas of the service, which share its port.")
    ] = 1,
    no_traffic: Annotated[
        bool, typer.Option("--no-traffic", help="Start without the background traffic of 5 requests/s.")
    ] = False,
    fetch: Annotated[
        list[str], typer.Option("--with", help="Fetch this optional part where it is not there: jaeger, grafana, node.")
    ] = NONE,
    without: Annotated[
        list[str], typer.Option("--without", help="Leave this optional part out: jaeger, grafana, node.")
    ] = NONE,
    rules: Annotated[
        list[str],
        typer.Option("--rules", help="A rule file of your own, or a pattern: evaluated in a second Prometheus."),
    ] = NONE,
    dialect: Annotated[
        str | None, typer.Option(help="The names that your rules use: a dialect, or a dialect file of yours.")
    ] = None,
    alertmanager_config: Annotated[
        str | None, typer.Option(help="Your Alertmanager configuration, for the alerts of your rules.")
    ] = None,
    app: Annotated[
        str | None, typer.Option(help="Your own app's address: it stands in the service's place (docs/own-app.md).")
    ] = None,
    app_control: Annotated[
        str | None, typer.Option(help="Where your app's fault control endpoint is, by default http://127.0.0.1:8600.")
    ] = None,
    app_metrics: Annotated[
        str | None, typer.Option(help="The path of your app's metrics, by default /metrics.")
    ] = None,
    app_job: Annotated[str | None, typer.Option(help="The job that your app is scraped as, by default app.")] = None,
    app_traffic: Annotated[
        list[str], typer.Option(help='A request to send to your app, such as "GET /books"; several take turns.')
    ] = NONE,
    panel_host: Annotated[
        str,
        typer.Option(
            envvar=VARIABLE,
            help="Open the panel to a network: an address of this machine, or 0.0.0.0. Everyone then logs in.",
        ),
    ] = "",
    runtime: Annotated[
        Choice, typer.Option(help="native: processes. docker: containers. auto: docker where an engine answers.")
    ] = runtimes.DEFAULT,
) -> None:
    """Start the whole stack: service, traffic, Prometheus, Alertmanager, trace store, conductor, panel."""
    if pace not in PACES:
        raise CommandError(f"--pace {pace!r} is unknown; it is one of: {', '.join(PACES)}")
    given = AppOptions(app, app_control, app_metrics, app_job, app_traffic)
    opening, chosen = opening_of(panel_host), chosen_password()
    if runtimes.choose("native" if app is not None and runtime == "auto" else runtime) == "docker":
        if app is not None:
            raise NotInContainers("an app of your own (--app)", "start it with --runtime native")
        if rules or dialect or alertmanager_config:
            raise NotInContainers("a rule file of your own", "start it with --runtime native")
        if not fits_containers(opening.host):
            raise NotInContainers(f"--panel-host {opening.host}", "give 0.0.0.0, or start it with --runtime native")
        containers = docker_options.Options(
            Home.from_environment(),
            offset=port_offset,
            pace=PACES[pace],
            traffic=not no_traffic,
            workers=workers,
            chosen=tuple(fetch),
            without=tuple(without),
            panel_host=opening.host,
        )
        _show_up(start(containers, on_event=_tell), detach)
        tell_of_panel(containers.home, opening, chosen)
        if not detach:
            attend(containers, on_line=_warn)
            OUT.print("everything is stopped")
        return
    runtimes.forbid_other(Home.from_environment(), "native")
    options = native.Options(
        Home.from_environment(),
        offset=port_offset,
        pace=PACES[pace],
        traffic=not no_traffic,
        workers=workers,
        fetch=frozenset(fetch),
        without=frozenset(without),
        own=choose_own(rules, dialect, alertmanager_config) if app is None else None,
        app=choose_app(given, rules, dialect=dialect, alertmanager=alertmanager_config, workers=workers),
        panel_host=opening.host,
    )
    if detach:
        _show_up(native.up(options, detach=True, on_event=_tell), detach, own_app=app is not None)
        tell_of_panel(options.home, opening, chosen)
        return

    def tell(event: Event) -> None:
        _tell(event)
        if event.kind == "up":
            _show_up(read_status(options.home), detach, own_app=app is not None)
            tell_of_panel(options.home, opening, chosen)

    native.up(options, detach=False, on_event=tell, on_line=_warn)
    OUT.print("everything is stopped")


def _show_up(status: StackStatus, detach: bool, *, own_app: bool = False) -> None:
    """Show a stack that has come up, and what to do with it."""
    _show(status)
    drill = (
        "a drill file of yours: [bold]firedrill drill run FILE[/]"
        if own_app
        else "[bold]firedrill drill run error-burst[/]"
    )
    more = f", or try {drill}" if detach else ". Ctrl-C stops everything.\n"
    OUT.print(f"\nOpen the panel at [bold]{_url(status, 'panel')}[/]{more}")


def _tell(event: Event) -> None:
    """Show one step of a start."""
    if event.kind in SHOWN:
        OUT.print(
            f"  {event.component + ' ' if event.component else ''}{event.text}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _warn(line: LogLine) -> None:
    """Show what a component says, in the foreground: its trouble only, the log has the rest."""
    if any(word in line.text for word in ("error", "Error", "warning", "Traceback")):
        OUT.print(f"  {line.component:<12} | {line.text}", style="dim", highlight=False, markup=False, soft_wrap=True)


def _url(status: StackStatus, name: str) -> str:
    """Return the address of a component's page."""
    return next((component.url for component in status.components if component.name == name), "")


def down() -> None:
    """Stop the stack, whoever started it. Nothing of it is left."""
    stopped = runtimes.down(Home.from_environment())
    if stopped.killed:
        OUT.print(f"a killed supervisor had left these running, they are ended: {', '.join(stopped.killed)}")
    elif stopped.was_up:
        OUT.print(f"stopped: {', '.join(stopped.components)}")
    else:
        OUT.print("nothing was running")


def status(as_json: AsJson = False) -> None:
    """Show what runs, where, and with how much memory; exit status 0 where everything is ready."""
    now = read_status(Home.from_environment())
    if as_json:
        OUT.print_json(json.dumps(asdict(now)))
    else:
        _show(now)
    raise typer.Exit(0 if now.state == "up" else 1)


def _show(now: StackStatus) -> None:
    """Draw the stack as a table."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    restarted = any(part.restarts for part in now.components)
    for heading in ("", "component", "address", "up for", "memory", *(("restarts",) if restarted else ())):
        table.add_column(heading, no_wrap=True)
    for part in now.components:
        table.add_row(
            MARKS[part.state],
            part.title,
            part.url if part.pid else "",
            seconds(part.uptime_s),
            "–" if part.memory_bytes is None else f"{part.memory_bytes / 1e6:.0f} MB",
            *((str(part.restarts),) if restarted else ()),
        )
    OUT.print(table)
    what = f"[bold]{now.state}[/]" + (f", {now.pace} pace" if now.pace else "")
    OUT.print(
        what
        + (f", {now.memory_bytes / 1e6:.0f} MB" if now.memory_bytes else "")
        + (f": {now.detail}" if now.detail else "")
    )
    if now.app and now.state != "down":
        OUT.print(f"around your own app at {now.app}", highlight=False, soft_wrap=True)
    if now.state == "down":
        OUT.print("start it with [bold]firedrill up[/]")


def logs(
    component: Annotated[str | None, typer.Argument(help="Only this component (or `supervisor`).")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Show the combined log."""
    names = ["supervisor", *(row.name for row in COMPONENTS)]
    if component is not None and component not in names:
        raise CommandError(f"no component {component!r}; there are: {', '.join(names)}")
    for line in runtimes.logs(Home.from_environment(), component, lines=lines, follow=follow):
        OUT.print(str(line), highlight=False, markup=False, soft_wrap=True)


def doctor(as_json: AsJson = False) -> None:
    """Look for what stands in the way on this machine; exit status 1 where something does."""
    findings = diagnosis.doctor(Home.from_environment())
    if as_json:
        OUT.print_json(json.dumps([asdict(finding) for finding in findings]))
    else:
        marks = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[bold red]FAIL[/]"}
        for finding in findings:
            OUT.print(
                f"{marks[finding.level]}  [bold]{finding.name}[/]  {finding.text}", highlight=False, soft_wrap=True
            )
            if finding.remedy:
                OUT.print(f"      → {finding.remedy}", style="dim", highlight=False, soft_wrap=True)
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(1)
