"""``firedrill screenshot``: pages of the panel as pictures, for reports and slides."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import typer

from panel.access.store import PASSWORD
from panel.commands.console import OUT, CommandError, running_endpoints
from panel.pictures.camera import Entry, camera
from panel.pictures.folder import prepared, write
from panel.pictures.places import panel_pages
from panel.pictures.shots import LEAST_PX, MOST_PX, PHONE_PX, WIDTH_PX, Shot, Theme, page_named
from panel.timeline.moments import BadMoment, length, moment
from stack.home import Home

NONE: list[str] = []


def screenshot(
    pages: Annotated[
        list[str], typer.Argument(help="Pages by name, such as overview, or alerts?alert=HighLatency.", metavar="PAGE…")
    ] = NONE,
    every: Annotated[bool, typer.Option("--all", help="Every page of the panel.")] = False,
    out: Annotated[Path, typer.Option(help="The folder to write into; it is made where it is not there.")] = Path(),
    theme: Annotated[Literal["light", "dark", "both"], typer.Option(help="How they look.")] = "light",
    width: Annotated[int, typer.Option(min=LEAST_PX, max=MOST_PX, help="How wide they are, in pixels.")] = WIDTH_PX,
    phone: Annotated[bool, typer.Option("--phone", help=f"As on a phone: {PHONE_PX} pixels wide, by touch.")] = False,
    caption: Annotated[str, typer.Option(help="A line of yours in the caption.")] = "",
    url: Annotated[str, typer.Option(help="Another panel's address; the password in FIREDRILL_PANEL_PASSWORD.")] = "",
    last: Annotated[str, typer.Option(help="The time shown: the last 5m, 1h, 24h, ….")] = "",
    start: Annotated[str, typer.Option("--from", help="The time shown from, such as 12:03 or 2026-11-21 12:03.")] = "",
    end: Annotated[str, typer.Option("--to", help="The time shown up to.")] = "",
) -> None:
    """Take pictures of the panel's pages with the Chromium of this machine, with page, time and faults above each."""
    known = panel_pages()
    if every == bool(pages):
        raise CommandError(f"name pages or give --all; there are: {', '.join(page.name for page in known)}")
    span = _span(last, start, end)
    looks: tuple[Theme, ...] = ("light", "dark") if theme == "both" else (theme,)
    chosen = [(page, {}) for page in known] if every else [page_named(given, known) for given in pages]
    shots = [
        Shot(page, look, PHONE_PX if phone else width, phone, caption, {**span, **query})
        for page, query in chosen
        for look in looks
    ]
    address, entry = _panel(url)
    folder = prepared(out)
    with camera(address, entry) as taking:
        for shot in shots:
            began = time.monotonic()
            path = write(folder, shot.file_name, taking.take(shot))
            took = time.monotonic() - began
            OUT.print(f"{path}  {path.stat().st_size / 1000:.0f} kB, {took:.1f} s", highlight=False, soft_wrap=True)


def _panel(url: str) -> tuple[str, Entry]:
    """Return the panel's address and how it lets us in: this machine's by its token, another's by a password."""
    password = os.environ.get(PASSWORD, "")
    if url:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise CommandError(f"--url {url!r} is no address; write one such as http://192.168.1.20:8501")
        if urlsplit(url).password is not None:
            raise CommandError(f"--url must not carry a password; give it in {PASSWORD}")
        return url, Entry(password=password)
    endpoints = running_endpoints()
    return endpoints.link("panel"), Entry(token=Home.from_environment().token())


def _span(last: str, start: str, end: str) -> dict[str, str]:
    """Return what the time range is in an address. Raises ``CommandError``."""
    if last and (start or end):
        raise CommandError("give --last, or --from and --to, not both")
    if bool(start) != bool(end):
        raise CommandError("--from and --to belong together")
    try:
        if last:
            length(last)
            return {"last": last}
        if start and moment(start, time.time()) >= moment(end, time.time()):
            raise CommandError("the range ends before it begins (--from, --to)")
    except BadMoment as problem:
        raise CommandError(str(problem)) from problem
    return {"from": start, "to": end} if start else {}
