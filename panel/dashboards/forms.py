"""The pieces of a dashboard's JSON that are drawn, as pydantic reads them, and what each is made into.

Lenient where ``stack.dashboards.forms`` is strict: anybody's file is read as far as it goes. What is named nowhere here
is said by ``remarks``.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field

from panel.dashboards.board import Legend, Options, Panel, Variable
from panel.dashboards.fields import FieldConfig, Form
from stack.dashboards.board import COLUMNS, Place, Query, QueryFormat

_LABEL_VALUES = re.compile(r"label_values\(\s*(?:(?P<selector>.+),\s*)?(?P<label>[A-Za-z_]\w*)\s*\)", re.DOTALL)


class _GridPos(Form):
    x: int = Field(0, ge=0, lt=COLUMNS)
    y: int = Field(0, ge=0, le=100_000)
    w: int = Field(COLUMNS, ge=1, le=COLUMNS)
    h: int = Field(8, ge=1, le=200)

    def place(self) -> Place:
        return Place(self.x, self.y, min(self.w, COLUMNS - self.x), self.h)


class _Target(Form):
    ref_id: str = "A"
    expr: str = ""
    legend_format: str = ""
    instant: bool = False
    range: bool = True
    format: str = "time_series"
    exemplar: bool = False
    hide: bool = False

    def query(self) -> Query:
        legend = "" if self.legend_format == "__auto" else self.legend_format
        form = QueryFormat(self.format) if self.format in set(QueryFormat) else QueryFormat.TIME_SERIES
        return Query(self.ref_id, self.expr, legend, self.instant and not self.range, form, self.exemplar)


class _Legend(Form):
    show_legend: bool = True
    display_mode: str = "list"
    calcs: tuple[str, ...] = ()

    def made(self) -> Legend:
        return Legend(self.show_legend and self.display_mode != "hidden", self.calcs)


class _Reduce(Form):
    calcs: tuple[str, ...] = ()


class _Unit(Form):
    unit: str = ""


class _Options(Form):
    legend: _Legend = _Legend()
    reduce_options: _Reduce = _Reduce()
    graph_mode: str = "none"
    color_mode: str = "value"
    pie_type: str = "pie"
    display_labels: tuple[str, ...] = ()
    y_axis: _Unit = _Unit()
    cell_values: _Unit = _Unit()
    content: str = ""

    def made(self) -> Options:
        return Options(
            next(iter(self.reduce_options.calcs), "lastNotNull"),
            self.graph_mode == "area",
            self.color_mode.startswith("background"),
            self.color_mode == "none",
            self.pie_type == "donut",
            self.display_labels,
            self.y_axis.unit,
            self.cell_values.unit,
            self.content,
        )


class _Organize(Form):
    exclude_by_name: dict[str, bool] = Field(default_factory=dict)
    index_by_name: dict[str, int] = Field(default_factory=dict)
    rename_by_name: dict[str, str] = Field(default_factory=dict)


class _Transformation(Form):
    id: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


class PanelForm(Form):
    """One panel, of whichever kind."""

    id: int = 0
    title: str = ""
    description: str = ""
    type: str = ""
    grid_pos: _GridPos = _GridPos()
    field_config: FieldConfig = FieldConfig()
    targets: tuple[_Target, ...] = ()
    options: _Options = _Options()
    transformations: tuple[_Transformation, ...] = ()

    def made(self) -> Panel:
        """Return the panel."""
        organized = next((each.options for each in self.transformations if each.id == "organize"), {})
        shown = _Organize.model_validate(organized)
        named = {*shown.index_by_name, *(name for name, title in shown.rename_by_name.items() if title)}
        order = sorted(named, key=lambda name: (shown.index_by_name.get(name, len(named)), name))
        queries = tuple(each.query() for each in self.targets if each.expr.strip() and not each.hide)
        defaults = self.field_config.defaults
        return Panel(
            self.id,
            self.title,
            self.description,
            self.type,
            self.grid_pos.place(),
            defaults.look(),
            queries,
            defaults.custom.strokes(),
            self.options.legend.made(),
            self.options.made(),
            MappingProxyType({name: shown.rename_by_name.get(name) or name for name in order}),
            frozenset(name for name, hides in shown.exclude_by_name.items() if hides),
            tuple(made for each in self.field_config.overrides if (made := each.made()) is not None),
        )


class VariableForm(Form):
    """One choice at the top of a dashboard."""

    name: str
    label: str = ""
    type: str = "query"
    query: str | dict[str, Any] = ""
    current: dict[str, Any] = Field(default_factory=dict)
    multi: bool = False
    include_all: bool = False
    all_value: str = ""
    hide: int = 0

    def made(self) -> Variable:
        """Return the variable. Raises ``ValueError`` where nobody can say what its values are."""
        asked = str(self.query.get("query", "")) if isinstance(self.query, dict) else self.query
        chosen = self.current.get("value", [])
        default = tuple(str(each) for each in (chosen if isinstance(chosen, list) else [chosen]) if each != "$__all")
        every = (self.all_value or ".*") if self.include_all else None
        title, hidden = self.label or self.name, self.hide == 2
        if self.type in ("custom", "interval"):
            values = tuple(part.strip() for part in asked.split(",") if part.strip())
            kind: Literal["custom", "interval"] = "custom" if self.type == "custom" else "interval"
            return Variable(self.name, title, kind, values, "", "", self.multi, every, default or values[:1], hidden)
        if self.type in ("constant", "textbox"):
            text: Literal["constant", "textbox"] = "constant" if self.type == "constant" else "textbox"
            return Variable(self.name, title, text, (asked,), default=default or (asked,), hidden=hidden)
        if self.type == "datasource":
            return Variable(self.name, title, "datasource", hidden=True)
        found = _LABEL_VALUES.fullmatch(asked.strip())
        if self.type != "query" or found is None:
            raise ValueError(f"{asked or self.type!r} is not label_values(selector, label)")
        selector = found["selector"] or f'{{{found["label"]}!=""}}'
        return Variable(
            self.name, title, "query", (), selector.strip(), found["label"], self.multi, every, default, hidden
        )
