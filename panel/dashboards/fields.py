"""How values look, as Grafana's ``fieldConfig`` says it: units, thresholds, texts, colours, strokes, overrides.

Lenient: what is not known falls back to Grafana's usual; ``remarks`` says so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

from panel.dashboards.board import Look, Mapped, Override, Strokes
from stack.dashboards.board import NO_LOWER_BOUND, Step

_EDGES: Mapping[str, float] = MappingProxyType({"null": math.nan, "nan": math.nan, "null+nan": math.nan})
_SHAPES: Mapping[str, Literal["linear", "hv", "vh", "spline"]] = MappingProxyType(
    {"linear": "linear", "smooth": "spline", "stepBefore": "vh", "stepAfter": "hv"}
)


_MATCHERS: Mapping[str, Literal["name", "regexp", "query"]] = MappingProxyType(
    {"byName": "name", "byRegexp": "regexp", "byFrameRefID": "query"}
)
_CHANGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "unit": ("unit",),
        "decimals": ("decimals",),
        "min": ("lowest",),
        "max": ("highest",),
        "thresholds": ("steps",),
        "mappings": ("texts",),
        "noValue": ("nothing",),
        "color": ("color_mode", "fixed_color"),
    }
)
"""Fields of a look, by the property of an override that changes them."""


class Form(BaseModel):
    """A piece of the JSON. A key that is null is as one that is not there."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


class _Step(Form):
    color: str = "green"
    value: float | None = None


class _Thresholds(Form):
    mode: Literal["absolute", "percentage"] = "absolute"
    steps: tuple[_Step, ...] = ()

    def made(self, low: float | None, high: float | None) -> tuple[Step, ...]:
        steps = sorted(
            (Step(NO_LOWER_BOUND if each.value is None else each.value, each.color) for each in self.steps),
            key=lambda step: step.value,
        )
        if self.mode == "absolute":
            return tuple(steps)
        least, most = low or 0.0, 100.0 if high is None else high
        return tuple(Step(least + (most - least) * each.value / 100, each.color) for each in steps)


class _Result(Form):
    text: str = ""
    color: str = ""


class _Mapping(Form):
    type: str = "value"
    options: dict[str, Any] = {}

    def made(self) -> list[Mapped]:
        if self.type == "value":
            results = {key: _Result.model_validate(each) for key, each in self.options.items()}
            numbers = {key: number for key in results if (number := _number(key)) is not None}
            return [Mapped(at, at, results[key].text or key, results[key].color) for key, at in numbers.items()]
        result = _Result.model_validate(self.options.get("result", {}))
        if self.type == "range":
            low, high = self.options.get("from"), self.options.get("to")
            return [
                Mapped(
                    -math.inf if low is None else float(low),
                    math.inf if high is None else float(high),
                    result.text,
                    result.color,
                )
            ]
        edge = _EDGES.get(str(self.options.get("match", ""))) if self.type == "special" else None
        return [] if edge is None else [Mapped(edge, edge, result.text, result.color)]


class _Mode(Form):
    mode: str = ""
    type: str = ""
    fixed_color: str = ""


class _Custom(Form):
    draw_style: Literal["line", "bars", "points"] = "line"
    line_width: float = 1.0
    line_interpolation: str = "linear"
    fill_opacity: float = 0.0
    show_points: str = "auto"
    span_nulls: bool | float = False
    stacking: _Mode = _Mode(mode="none")
    thresholds_style: _Mode = _Mode(mode="off")
    scale_distribution: _Mode = _Mode(type="linear")
    axis_label: str = ""

    def strokes(self) -> Strokes:
        return Strokes(
            self.draw_style,
            self.line_width,
            min(1.0, max(0.0, self.fill_opacity / 100)),
            _SHAPES.get(self.line_interpolation, "linear"),
            self.show_points == "always",
            bool(self.span_nulls),
            _one_of(self.stacking.mode, ("none", "normal", "percent")),
            _one_of(self.thresholds_style.mode, ("off", "line", "dashed", "area", "line+area", "dashed+area")),
            self.scale_distribution.type == "log",
            self.axis_label,
        )


class _Defaults(Form):
    unit: str = ""
    decimals: int | None = None
    min: float | None = None
    max: float | None = None
    thresholds: _Thresholds = _Thresholds()
    mappings: tuple[_Mapping, ...] = ()
    color: _Mode = _Mode(mode="thresholds")
    no_value: str = ""
    custom: _Custom = _Custom()

    def look(self) -> Look:
        return Look(
            self.unit,
            self.decimals,
            self.min,
            self.max,
            self.thresholds.made(self.min, self.max),
            tuple(text for each in self.mappings for text in each.made()),
            self.no_value,
            self.color.mode,
            self.color.fixed_color,
        )


class _Matcher(Form):
    id: str = ""
    options: Any = ""


class _Property(Form):
    id: str = ""
    value: Any = None


class _Override(Form):
    matcher: _Matcher = _Matcher()
    properties: tuple[_Property, ...] = ()

    def made(self) -> Override | None:
        """Return the override, or ``None`` where it names its series in a way that is not known."""
        by, what = _MATCHERS.get(self.matcher.id), str(self.matcher.options)
        if by is None:
            return None
        if by == "regexp":
            what = what.removeprefix("/").removesuffix("/")
            try:
                re.compile(what)
            except re.error:
                return None
        given = {each.id: each.value for each in self.properties}
        look = _Defaults.model_validate(given).look()
        changes = [(field, getattr(look, field)) for name in given for field in _CHANGES.get(name, ())]
        return Override(by, what, tuple(changes), str(given.get("displayName") or ""))


class FieldConfig(Form):
    """How the values of a panel look, and those of single series."""

    defaults: _Defaults = _Defaults()
    overrides: tuple[_Override, ...] = ()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _one_of(value: str, choices: tuple[Any, ...]) -> Any:
    """Return ``value`` where it is one of ``choices``, else the first of them."""
    return value if value in choices else choices[0]
