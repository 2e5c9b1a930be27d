"""The pieces of a dashboard's JSON that are read, and what each is made into.

What is not named here is Grafana's own business, and passed over.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from stack.dashboards.board import (
    COLUMNS,
    NO_LOWER_BOUND,
    Dashboard,
    Look,
    Mark,
    Panel,
    PanelKind,
    Place,
    Query,
    QueryFormat,
    Step,
    Text,
    Variable,
    VariableKind,
)
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

_LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+),\s*(?P<label>[A-Za-z_]\w*)\)")
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Form(BaseModel):
    """A piece of the JSON."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class _GridPos(_Form):
    x: int = Field(ge=0)
    y: int = Field(ge=0)
    w: int = Field(ge=1, le=COLUMNS)
    h: int = Field(ge=1)


class _Step(_Form):
    color: Words
    value: float | None


class _Thresholds(_Form):
    mode: Literal["absolute"]
    steps: tuple[_Step, ...] = Field(min_length=1)


class _MappingResult(_Form):
    text: Words
    color: Words


class _ValueMapping(_Form):
    type: Literal["value"]
    options: dict[float, _MappingResult]


class _Stacking(_Form):
    mode: Literal["none", "normal", "percent"] = "none"


class _Custom(_Form):
    stacking: _Stacking = _Stacking()


class _Defaults(_Form):
    unit: Words
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    thresholds: _Thresholds
    mappings: tuple[_ValueMapping, ...] = ()
    custom: _Custom = _Custom()
    no_value: str = ""

    def look(self) -> Look:
        steps = (Step(_lower_bound(each.value), each.color) for each in self.thresholds.steps)
        texts = (Text(value, each.text, each.color) for one in self.mappings for value, each in one.options.items())
        stacked = self.custom.stacking.mode
        return Look(self.unit, self.decimals, self.min, self.max, tuple(steps), tuple(texts), stacked, self.no_value)


class _FieldConfig(_Form):
    defaults: _Defaults


class _Target(_Form):
    ref_id: Words
    expr: Words
    legend_format: str = ""
    instant: bool = False
    format: QueryFormat = QueryFormat.TIME_SERIES
    exemplar: bool = False

    def query(self) -> Query:
        legend = "" if self.legend_format == "__auto" else self.legend_format
        return Query(self.ref_id, self.expr, legend, self.instant, self.format, self.exemplar)


class _Organize(_Form):
    exclude_by_name: dict[str, bool] = {}
    index_by_name: dict[str, int] = {}
    rename_by_name: dict[str, str] = {}


class _Transformation(_Form):
    id: Literal["organize"]
    options: _Organize


class _Panel(_Form):
    id: int
    title: Words
    description: Words
    type: PanelKind
    grid_pos: _GridPos
    field_config: _FieldConfig
    targets: tuple[_Target, ...] = Field(min_length=1)
    transformations: tuple[_Transformation, ...] = Field(default=(), max_length=1)

    def made(self) -> Panel:
        at, shown = self.grid_pos, self.transformations[0].options if self.transformations else _Organize()
        order = sorted(shown.index_by_name, key=lambda name: shown.index_by_name[name])
        return Panel(
            self.id,
            self.title,
            self.description,
            self.type,
            Place(at.x, at.y, at.w, at.h),
            self.field_config.defaults.look(),
            tuple(target.query() for target in self.targets),
            {name: shown.rename_by_name.get(name, name) for name in order},
            frozenset(name for name, is_hidden in shown.exclude_by_name.items() if is_hidden),
        )


class _Variable(_Form):
    name: Words
    label: Words
    type: VariableKind
    query: str | dict[str, Any]
    multi: bool = False
    include_all: bool = False
    all_value: str | None = None

    def made(self) -> Variable:
        matched = None if isinstance(self.query, dict) else _LABEL_VALUES.fullmatch(self.query)
        if self.type is VariableKind.QUERY and matched is None:
            raise ValueError(f"the query of ${self.name} is not label_values(selector, label)")
        selector, label = matched.group("selector", "label") if matched is not None else ("", "")
        every = (self.all_value or ".*") if self.include_all else None
        return Variable(self.name, self.label, self.type, selector, label, self.multi, every)


class _Templating(_Form):
    list: tuple[_Variable, ...] = ()


class _AnnotationTarget(_Form):
    expr: Words


class _Annotation(_Form):
    name: Words
    icon_color: Words
    title_format: Words
    target: _AnnotationTarget


class _Annotations(_Form):
    list: tuple[_Annotation, ...] = ()


class _Time(_Form):
    from_: str = Field(alias="from", pattern=r"^now-\w+$")
    to: Literal["now"]


class DashboardForm(_Form):
    """A whole file."""

    uid: Words
    title: Words
    description: Words
    tags: tuple[str, ...] = ()
    refresh: Words
    time: _Time
    panels: tuple[_Panel, ...] = Field(min_length=1)
    templating: _Templating = _Templating()
    annotations: _Annotations = _Annotations()

    def made(self) -> Dashboard:
        """Return the dashboard; raise ``ValueError`` where a piece cannot be made into what it stands for."""
        marks = (Mark(one.name, one.target.expr, one.title_format, one.icon_color) for one in self.annotations.list)
        return Dashboard(
            self.uid,
            self.title,
            self.description,
            self.tags,
            _seconds(self.refresh),
            _seconds(self.time.from_.removeprefix("now-")),
            tuple(panel.made() for panel in self.panels),
            tuple(variable.made() for variable in self.templating.list),
            tuple(marks),
        )


def _lower_bound(value: float | None) -> float:
    return NO_LOWER_BOUND if value is None else value


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except BadDuration as error:
        raise ValueError(str(error)) from None
