"""``firedrill access``: how to come into an opened panel, a new password, a new code; and what ``up`` says of it."""

from __future__ import annotations

import os
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.table import Table

from panel.access import entrance
from panel.access.opening import Opening, site
from panel.access.passwords import new_code, new_password
from panel.access.store import AccessStore, take_password
from panel.commands.console import OUT, CommandError
from stack import docker_stack, runtimes
from stack.docker_status import inside_container
from stack.endpoints import Endpoints
from stack.home import Home

INSIDE = "ADDRESS-OF-THIS-MACHINE"
"""What a container cannot know."""


def access(
    new_password_: Annotated[
        bool, typer.Option("--new-password", help="Make a new password and show it once; operators log in anew.")
    ] = False,
    new_code_: Annotated[
        bool, typer.Option("--new-code", help="Make a new code for the audience; it comes in anew.")
    ] = False,
    no_audience: Annotated[
        bool, typer.Option("--no-audience", help="Let no audience in, and send away the one that is there.")
    ] = False,
) -> None:
    """Show how to come into a panel that is open to a network; make a new password or code."""
    if new_code_ and no_audience:
        raise CommandError("--new-code and --no-audience exclude each other; give one of the two")
    home = Home.from_environment()
    store, made = AccessStore(home), ""
    if new_password_:
        made = new_password()
        store.set_password(made)
    if new_code_ or no_audience:
        store.set_code("" if no_audience else new_code())
    if new_password_ or new_code_ or no_audience:
        _hand_over(home, store)
    record, port = store.read(), _port(home)
    if not Opening(record.host, record.names).opened:
        if made:
            OUT.print(f"password: [bold]{made}[/]", highlight=False)
        words = f"the panel is open to this machine only, without a login; to open it: {entrance.OPEN_SO}"
        OUT.print(words, highlight=False, soft_wrap=True)
        return
    sites = (site(INSIDE, port),) if inside_container() and not record.names else ()
    _show(entrance.describe(record, port, password=made, sites=sites))


def opening_of(host: str) -> Opening:
    """Return how far ``up`` is to open the panel; raise ``BadOpening`` where this machine has no such address."""
    opening = Opening(host.strip(), Opening.from_environment().names)
    if opening.opened:
        for bound in opening.sockets(0):
            bound.close()
    return opening


def chosen_password() -> str:
    """Return the password that the environment brings, and take it out of there."""
    return take_password(os.environ)


def tell(home: Home, opening: Opening, chosen: str) -> None:
    """Say how to come into a panel that has just been opened; make a password where there is none."""
    if not opening.opened:
        return
    store = AccessStore(home)
    told = entrance.opened(store, opening, _port(home), chosen=chosen)
    _hand_over(home, store)
    OUT.print("\nThe panel is [bold]open to a network[/]; whoever comes logs in (docs/access.md)")
    _show(told)


def _port(home: Home) -> int:
    """Return the panel's port as browsers know it, also where it is published by a container."""
    endpoints = runtimes.find_endpoints(home) or Endpoints()
    return urlsplit(endpoints.link("panel")).port or endpoints.port("panel")


def _show(told: entrance.Entrance) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for word, text in told.lines():
        table.add_row(f"[bold]{word}[/]", text)
    OUT.print(table, highlight=False)


def _hand_over(home: Home, store: AccessStore) -> None:
    """Give the panel in a container the record, where it is in one."""
    if not inside_container() and runtimes.running(home) == "docker":
        docker_stack.put_file(home, "panel", store.path.name, store.path.read_text(encoding="utf-8"))
