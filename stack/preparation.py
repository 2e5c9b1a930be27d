"""What happens before a stack starts: which parts it has, whether ports are free, where programs are, what they read.

It writes the configuration into the home and may fetch programs; it starts nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stack.component import Component, table_named, wanted
from stack.components import COMPONENTS, DEFAULT_TABLE
from stack.configuration import render, render_grafana
from stack.downloads import Progress
from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.events import Event, OnEvent
from stack.home import Home
from stack.own.app import OwnApp
from stack.own.app_check import check_app
from stack.own.app_configuration import render_app
from stack.own.configuration import render_own
from stack.pace import WORKSHOP, Pace
from stack.plan import OwnRules, Plan
from stack.ports import check_ports
from stack.provision import locate, provision


class NotOptional(StackError):  # noqa: N818 - reads as a fact where it is raised
    """A part was to be left out or fetched by choice for which there is no such choice."""

    def __init__(self, option: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{option} {name!r}: there is no such choice; it is one of: {', '.join(known)}")


class ChosenAndNot(StackError):  # noqa: N818 - as above
    """The same part was both asked for and left out."""

    def __init__(self, name: str) -> None:
        super().__init__(f"--with {name} and --without {name} exclude each other; give one of the two")


def write_configuration(plan: Plan) -> None:
    """Write what the programs of ``plan`` read; nothing of it where a rule of the user's is not usable."""
    own = plan.home.run / "own"
    shutil.rmtree(own, ignore_errors=True)
    if plan.own is not None:
        render_own(plan)
    if plan.app is not None:
        render_app(plan)
    else:
        jobs = {row.job: row.scraped for row in wanted(COMPONENTS, plan) if row.job}
        render(plan.home, plan.endpoints, plan.pace, workers=plan.workers, jobs=jobs)
    if "grafana" in plan.programs:
        render_grafana(plan.home)


@dataclass(frozen=True)
class Options:
    """What to bring up. ``table`` names the components; ``prepare`` writes what they read before they start.

    ``fetch`` names optional components whose program may be fetched, ``without`` those that are left out.
    ``panel_host`` is the address that the panel is opened on.
    """

    home: Home
    offset: int = 0
    pace: Pace = WORKSHOP
    traffic: bool = True
    workers: int = 1
    table: str = DEFAULT_TABLE
    prepare: Callable[[Plan], None] = write_configuration
    fetch: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    own: OwnRules | None = None
    app: OwnApp | None = None
    panel_host: str = ""


def prepare(options: Options, on_event: OnEvent) -> Plan:
    """Return the plan of a stack that is ready to start.

    Raises ``NotOptional``, ``ChosenAndNot``, ``PortBusy``, ``ProgramMissing`` and the errors of the configuration.
    """
    table = table_named(options.table)
    _check_choice(table, options)
    taken = _taken(table, options)
    plan = Plan(
        home=options.home,
        endpoints=Endpoints(options.offset),
        pace=options.pace,
        traffic=options.traffic,
        programs={name: path or Path(name) for name, path in taken.items()},
        workers=options.workers,
        without=options.without,
        own=options.own,
        app=options.app,
        panel_host=options.panel_host,
    )
    rows = wanted(table, plan)
    check_ports(plan.endpoints, {port: row.name for row in rows for port in row.listens_on(plan.workers)})
    token = options.home.token()
    if plan.app is not None:
        for sentence in check_app(plan.app, token, str(options.home.root)):
            on_event(Event(kind="preparing", text=f"warning: {sentence}"))
    names = [*(name for row in rows for name in row.programs), *(name for name, path in taken.items() if path is None)]
    located = {name: path for name, path in taken.items() if path is not None}
    plan = replace(plan, programs={**_programs(names, on_event), **located})
    if "grafana" in plan.programs:
        _tell_of_grafana(plan.home, on_event)
    options.prepare(plan)
    return plan


def _check_choice(table: Sequence[Component], options: Options) -> None:
    optional = [row.name for row in table if row.optional]
    fetched = [row.name for row in table if row.takes]
    for option, given, known in (("--with", options.fetch, fetched), ("--without", options.without, optional)):
        for name in sorted(given):
            if name not in known:
                raise NotOptional(option, name, known)
    for name in sorted(options.fetch & options.without):
        raise ChosenAndNot(name)


def _taken(table: Sequence[Component], options: Options) -> Mapping[str, Path | None]:
    """Return the optional programs of this stack; those that have yet to be fetched without a file."""
    found: dict[str, Path | None] = {}
    for row in table:
        if row.takes and row.name not in options.without:
            installed = locate(row.takes)
            if installed is not None or row.name in options.fetch:
                found[row.takes] = installed.path if installed is not None else None
    return found


def _programs(names: Iterable[str], on_event: OnEvent) -> Mapping[str, Path]:
    """Find or fetch the programs, telling of each step once and of a download at every tenth of it."""
    said: set[str] = set()

    def tell(progress: Progress) -> None:
        tenths = 10 * progress.done_bytes // progress.total_bytes if progress.total_bytes else 0
        text = f"{progress.text} {10 * tenths} %" if progress.total_bytes else progress.text
        if text not in said:
            said.add(text)
            on_event(Event(kind="preparing", text=text))

    return provision(names, on_progress=tell)


def _tell_of_grafana(home: Home, on_event: OnEvent) -> None:
    """Make Grafana's password where nobody chose one, and say it that one time."""
    known = home.grafana_password_file.exists()
    password = home.grafana_password()
    if not known and home.grafana_password_file.exists():
        text = f"Grafana's user is admin, its password {password} (kept in {home.grafana_password_file})"
        on_event(Event(kind="preparing", text=text))
