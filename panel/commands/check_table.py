"""How a check looks in a terminal: a line for each alert, worst first, then what is wrong, then what was tried."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from faults.drills.check import phrases
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.lint.finding import Finding

COLOURS = {
    Verdict.FIRES.value: "green",
    phrases.NOISE: "bold red",
    Verdict.CANNOT_FIRE.value: "bold red",
    Verdict.DID_NOT_FIRE.value: "yellow",
    Verdict.INSUFFICIENT_HISTORY.value: "yellow",
    Verdict.NOT_COVERED.value: "yellow",
}
SEVERITIES = {"error": "bold red", "warning": "yellow", "info": "cyan"}
MOST_EPISODES = 5
WIDE = 110
"""From so many columns on there is a table."""


def draw(result: CheckResult, *, width: int = 80) -> Group:
    """Draw a whole result."""
    parts: list[RenderableType] = list(_table(result) if width >= WIDE else _lines(result))
    parts += _episodes(result)
    parts += [part for finding in result.findings for part in _finding(finding)]
    parts += [Text(), *(Text(f"note: {note}", "dim") for note in result.notes)]
    parts += [Text(phrases.tried(result), "dim"), Text(phrases.summary(result), "bold")]
    return Group(*parts)


def _table(result: CheckResult) -> Iterator[RenderableType]:
    """Yield a line for each alert."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="dim")
    table.add_column("verdict", no_wrap=True)
    table.add_column("alert", no_wrap=True)
    table.add_column("without a fault", no_wrap=True)
    table.add_column("fires for which fault, after how long; or why not", overflow="fold")
    for alert in phrases.in_order(result.alerts):
        table.add_row(_verdict(alert), Text(alert.place.rule, "bold"), phrases.quietness(alert), _told(alert))
    yield table


def _lines(result: CheckResult) -> Iterator[RenderableType]:
    """Yield two lines for each alert, where there is no room for one."""
    for alert in phrases.in_order(result.alerts):
        quiet = "" if alert.quiet is None else f", {phrases.quietness(alert)} without a fault"
        yield Text.assemble(_verdict(alert), "  ", (alert.place.rule, "bold"), (quiet, "dim"))
        yield Padding(_told(alert), (0, 0, 0, 2))


def _verdict(alert: AlertResult) -> Text:
    words = phrases.standing(alert)
    return Text(words, COLOURS[words])


def _told(alert: AlertResult) -> Text:
    return Text(phrases.what_it_did(alert), "" if alert.verdict is Verdict.FIRES else "dim")


def _episodes(result: CheckResult) -> Iterator[RenderableType]:
    """Yield when each alert would have fired in what was recorded."""
    for alert in result.alerts:
        if not alert.episodes:
            continue
        yield Text()
        yield Text(f"{alert.place.rule} would have fired", "bold")
        for one in alert.episodes[:MOST_EPISODES]:
            ended = "and still fires" if one.ended_at is None else f"until {_moment(one.ended_at)}"
            labels = ", ".join(f'{name}="{value}"' for name, value in one.labels.items() if name != "severity")
            yield Padding(Text(f"{_moment(one.fired_at)} {ended}  {labels}"), (0, 0, 0, 2))
        if len(alert.episodes) > MOST_EPISODES:
            yield Padding(
                Text(f"and {len(alert.episodes) - MOST_EPISODES} more times; --json has all", "dim"), (0, 0, 0, 2)
            )


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _finding(finding: Finding) -> Iterator[RenderableType]:
    yield Text()
    yield Text.assemble(
        (finding.severity, SEVERITIES[finding.severity]),
        f" {phrases.place(finding)} ",
        (finding.place.rule, "bold"),
        f"  {finding.check}",
    )
    yield Padding(Text(phrases.explained(finding)), (0, 0, 0, 2))
    if repair := phrases.shown_repair(finding):
        yield Padding(Text.assemble(("this fired here and was quiet without a fault: ", "green"), repair), (0, 0, 0, 2))
    yield Padding(Text(phrases.docs_page(finding), "dim"), (0, 0, 0, 2))
