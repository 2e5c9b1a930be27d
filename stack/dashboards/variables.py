"""Grafana's variables put into a query, as Grafana does it: ``$__rate_interval``, ``$__range``, ``$model`` and so on.

Pure: what is asked, over which time range, at which step and pace, is given in a ``View``. Nothing here asks anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from stack.dashboards.board import Dashboard, Variable, VariableKind
from stack.dashboards.errors import UnknownFormat, UnknownVariable
from stack.rules.durations import format_duration

LEAST_SCRAPES = 4
"""A window of ``$__rate_interval`` holds so many scrapes at least, so that one lost scrape leaves a rate."""
POINTS = 300
"""Points of a chart, where nothing else is said."""

_NAMED = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?::(?P<form>\w+))?\})")
_SPECIAL = re.compile(r"[\\^$.*+?()|{}\[\]]")
_LABEL = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


@dataclass(frozen=True)
class View:
    """What a dashboard is looked at with: a time range, its steps, and how often is scraped, in seconds.

    ``chosen`` has the values of the variables; one that is not in it stands for all of them.
    """

    range_s: float
    step_s: float
    scrape_s: float
    chosen: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def spanning(
        cls, range_s: float, scrape_s: float, *, chosen: Mapping[str, Sequence[str]] | None = None, points: int = POINTS
    ) -> View:
        """Return the view of ``range_s`` seconds in so many points at most, none closer than two scrapes are."""
        return cls(range_s, max(range_s / points, scrape_s), scrape_s, chosen or {})

    @property
    def rate_interval_s(self) -> float:
        """The window of a rate: one step and one scrape long, and four scrapes at least (Grafana's definition)."""
        return max(self.step_s + self.scrape_s, LEAST_SCRAPES * self.scrape_s)

    def built_in(self) -> Mapping[str, str]:
        """Return Grafana's own variables by name."""
        return {
            "__interval": format_duration(self.step_s),
            "__interval_ms": str(round(self.step_s * 1000)),
            "__rate_interval": format_duration(self.rate_interval_s),
            "__range": format_duration(self.range_s),
            "__range_s": str(round(self.range_s)),
            "__range_ms": str(round(self.range_s * 1000)),
        }


BUILT_IN = tuple(View(1.0, 1.0, 1.0).built_in())
"""The names of Grafana's own variables that a query may use."""


def substituted(expr: str, dashboard: Dashboard, view: View) -> str:
    """Return ``expr`` of ``dashboard`` as Prometheus takes it. Raises ``UnknownVariable`` and ``UnknownFormat``."""
    return filled(expr, dashboard.variables, view)


def filled(expr: str, variables: Iterable[Variable], view: View) -> str:
    """Return ``expr`` with ``variables`` and Grafana's own put in. Raises ``UnknownVariable`` and ``UnknownFormat``."""
    built_in = view.built_in()
    own = {variable.name: variable for variable in variables if variable.kind is VariableKind.QUERY}

    def value(match: re.Match[str]) -> str:
        name = match["plain"] or match["braced"]
        if name in built_in:
            return built_in[name]
        if name not in own:
            raise UnknownVariable(name, expr, (*own, *built_in))
        return _value(own[name], view.chosen.get(name), match["form"], expr)

    return _NAMED.sub(value, expr)


def names_in(expr: str) -> frozenset[str]:
    """Return the names of the variables that stand in ``expr``."""
    return frozenset(match["plain"] or match["braced"] for match in _NAMED.finditer(expr))


def legend(template: str, labels: Mapping[str, str]) -> str:
    """Return what a series with ``labels`` is called: the template filled in, or all labels where there is none."""
    if template:
        return _LABEL.sub(lambda match: labels.get(match[1], ""), template)
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "__name__") or "value"


def _value(variable: Variable, chosen: Sequence[str] | None, form: str | None, expr: str) -> str:
    """Return the chosen values as they stand in a label matcher: escaped for a regular expression, joined by ``|``."""
    if form not in {None, "regex", "pipe", "raw"}:
        raise UnknownFormat(variable.name, form or "", expr)
    if chosen is None:
        if variable.all_value is None:
            raise UnknownVariable(variable.name, expr, ())
        return variable.all_value
    if form in {"pipe", "raw"}:
        return "|".join(chosen)
    if form is None and not (variable.multiple or variable.all_value is not None):
        return "|".join(map(_quoted, chosen))
    escaped = [_quoted(_SPECIAL.sub(lambda match: f"\\{match[0]}", each)) for each in chosen]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _quoted(text: str) -> str:
    """Return ``text`` as it stands between the double quotes of a PromQL string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
