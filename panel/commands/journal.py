"""``firedrill journal``: who did what when, from the conductor or, where none runs, from the file that it left."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from faults.client import ConductorUnreachable
from faults.drills.journal import read_entries
from faults.drills.wire import JournalEntry
from panel.commands.console import ERRORS, OUT, AsJson, CommandError, conductor
from stack.errors import StackError
from stack.home import Home
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

MOST = 1000
FILE = "journal.sqlite"


def journal(
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="So many lines at most, the newest.")] = 50,
    since: Annotated[
        str | None, typer.Option(help="Not older than a duration, such as 10m, or a time: 2026-11-21T14:30.")
    ] = None,
    actor: Annotated[str, typer.Option(help="Only what this one did, such as panel or conductor.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who did what when, newest first; it needs no running stack."""
    lines = _lines(limit, _time(since, time.time()), actor)
    if as_json:
        OUT.print_json(json.dumps([line.model_dump(mode="json") for line in lines]))
    elif lines:
        OUT.print(_table(lines))
    else:
        OUT.print("nothing stands in the journal for that")


def _lines(limit: int, since: float, actor: str) -> list[JournalEntry]:
    try:
        return conductor().journal(limit, since=since, actor=actor)
    except (CommandError, ConductorUnreachable, StackError):
        path = Home.from_environment().data / FILE
        if not path.is_file():
            raise CommandError(f"there is no journal yet at {path}; the first `firedrill up` begins it") from None
        ERRORS.print(f"no conductor answers; read from {path}", style="dim", highlight=False)
        return read_entries(path, limit, since=since, actor=actor)


def _time(text: str | None, now: float) -> float:
    """Return the Unix time that an option's value means; a time without a zone is this machine's."""
    if text is None:
        return 0.0
    try:
        return now - parse_duration(text)
    except BadDuration:
        try:
            return dt.datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            raise CommandError(f"--since: {text!r} is neither a duration such as 10m nor a time") from None


def _table(lines: list[JournalEntry]) -> Table:
    table = Table("at", "who", "did", "to", "facts", box=None, padding=(0, 2, 0, 0))
    for line in lines:
        at = dt.datetime.fromtimestamp(line.at).astimezone()
        facts = " ".join(f"{name}={_short(value)}" for name, value in line.facts.items())
        table.add_row(
            at.strftime("%Y-%m-%d %H:%M:%S"),
            *(escape(text) for text in (line.actor, line.action.replace("_", " "), line.subject, facts)),
        )
    return table


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
