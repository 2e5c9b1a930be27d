"""``firedrill why``: why an alert has not fired, in one sentence, with the values and what is to blame."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from faults.drills.reasons import Trend, Why
from panel.commands.console import OUT, AsJson, conductor, seconds

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 40
_GOOD = frozenset({"delivered", "resolved"})
_ON_ITS_WAY = frozenset({"true", "pending", "waiting for its group"})
_TIMEOUT_S = 30.0


def why(
    alert: Annotated[str, typer.Argument(help="An alert, by its name.")],
    as_json: AsJson = False,
) -> None:
    """Say why an alert has not fired, or has reached nobody. Exit status 1 where no such alert is loaded."""
    found = conductor(_TIMEOUT_S).why(alert)
    if as_json:
        OUT.print_json(json.dumps(found.model_dump(mode="json")))
    else:
        OUT.print(_drawn(found))
    raise typer.Exit(1 if found.reason in {"not loaded", "unreachable"} else 0)


def _drawn(found: Why) -> Group:
    colour = "green" if found.reason in _GOOD else "yellow" if found.reason in _ON_ITS_WAY else "red"
    parts: list[RenderableType] = [
        Text.assemble((found.alert, "bold"), "  ", (found.reason, f"bold {colour}")),
        Text(found.sentence),
        *(Text(f"· {detail}", style="dim") for detail in found.details),
    ]
    if found.trends:
        parts.append(_trends(found.trends))
    return Group(*parts)


def _trends(trends: list[Trend]) -> Table:
    table = Table("value now", "must be", "per second", "crosses in", "lately", box=None, padding=(0, 2, 0, 0))
    for one in trends:
        table.add_row(
            "–" if one.value is None else f"{one.value:.4g}",
            f"{one.operator} {one.threshold:g}",
            "–" if one.slope_per_s is None else f"{one.slope_per_s:+.3g}",
            "holds" if one.holds else seconds(one.crosses_in_s),
            sparkline([value for _, value in one.points]),
        )
    return table


def sparkline(values: list[float]) -> str:
    """Draw the last values as bars between the least and the greatest of them; a flat line lies at the bottom."""
    shown = values[-WIDTH:]
    if not shown:
        return ""
    least, span = min(shown), max(shown) - min(shown)
    steps = (0.0 if span == 0.0 else (value - least) / span for value in shown)
    return "".join(BARS[min(int(step * len(BARS)), len(BARS) - 1)] for step in steps)
