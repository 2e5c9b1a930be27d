"""Forms from schemas, and numbers as a person reads them."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, JsonValue

import faults.kinds  # noqa: F401 - registers the kinds
from faults.base import Parameters, catalogue
from panel import formats, forms, markup


class Everything(Parameters):
    """Parameters of every shape that a form knows."""

    count: int = Field(default=3, gt=0, lt=10)
    share: float = Field(default=0.5, ge=0.0, le=1.0, description="How much.")
    mode: Literal["shift", "scale"] = "shift"
    only: Literal["one"] = "one"
    loud: bool = True
    limit: float | None = Field(default=None, gt=0)
    features: list[int] | None = None
    name: str = "x"


def field(name: str) -> forms.FormField:
    """Return one field of the form of ``Everything``."""
    return next(each for each in forms.fields(Everything.model_json_schema()) if each.name == name)


def test_fields_keep_the_schemas_order_kinds_bounds_and_defaults() -> None:
    """Exclusive bounds turn into inclusive ones; null means that the field may stay empty."""
    kinds = [(each.name, each.kind) for each in forms.fields(Everything.model_json_schema())]
    assert kinds == [
        ("count", "integer"), ("share", "number"), ("mode", "choice"), ("only", "choice"), ("loud", "flag"),
        ("limit", "number"), ("features", "list"), ("name", "text"),
    ]  # fmt: skip
    assert (field("count").minimum, field("count").maximum, field("count").default) == (1.0, 9.0, 3)
    assert field("share").help == "How much. From 0 to 1."
    assert field("mode").choices == ("shift", "scale")
    assert field("limit").optional
    assert 0 < (field("limit").minimum or 0) < 1e-5
    assert field("features").item == "integer"


def test_what_is_entered_becomes_parameters_that_the_model_takes() -> None:
    """Empty optional fields are not sent; a list is parsed from text."""
    form = forms.fields(Everything.model_json_schema())
    entered = {each.name: each.default for each in form} | {"features": "0, 2 3", "limit": None}
    sent = forms.parameters(form, entered)
    assert "limit" not in sent
    assert Everything.model_validate(sent).features == [0, 2, 3]


def test_a_list_that_is_none_is_refused_in_words() -> None:
    """Text where numbers belong names the field and what was expected."""
    with pytest.raises(forms.BadFormValue, match="Features: 'a, b' is not a list of integer values"):
        forms.parameters([field("features")], {"features": "a, b"})


def test_a_preset_changes_only_what_it_names() -> None:
    """The other fields keep their defaults."""
    form = forms.with_preset(forms.fields(Everything.model_json_schema()), {"share": 0.9})
    assert [(each.name, each.default) for each in form if each.name in ("share", "count")] == [
        ("count", 3),
        ("share", 0.9),
    ]


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_kind_of_the_catalogue_makes_a_form_whose_defaults_are_valid(name: str) -> None:
    """The form's defaults, and those of every preset, are parameters that the kind accepts."""
    kind = catalogue()[name]
    form = forms.fields(kind.parameters_type.model_json_schema())
    for preset in ({}, *(dict(each.parameters) for each in kind.presets.values())):
        filled = forms.with_preset(form, preset)
        kind.parameters_type.model_validate(forms.parameters(filled, {each.name: each.default for each in filled}))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "\u2013"), (float("nan"), "ratio", "\u2013"), (0.0101, "s", "10 ms"), (1.519, "s", "1.52 s"),
        (0.0, "ratio", "0 %"), (0.031, "ratio", "3.1 %"), (0.42, "ratio", "42 %"), (5.04, "1/s", "5.04/s"),
        (2.0, "1", "2"), (12345.6, "1", "1.23e+04"),
    ],
)  # fmt: skip
def test_quantities(value: float | None, unit: str, text: str) -> None:
    """A value in its unit with a sensible number of digits; no value is a dash."""
    assert formats.quantity(value, unit).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0042, "4.2 ms"), (2.24, "2.2 s"), (42.4, "42 s"), (185, "3 min 05 s"), (7800, "2 h 10 min"), (None, "\u2013")],
)
def test_spans_of_time(seconds: float | None, text: str) -> None:
    """A length of time in the unit that suits it."""
    assert formats.span(seconds).replace("\u00a0", " ") == text


def test_a_countdown_ends_at_zero() -> None:
    """Whole seconds, rounded up, never negative."""
    left = [formats.countdown(seconds).replace("\u00a0", " ") for seconds in (59.2, 0.1, 0.0, -3.0)]
    assert left == ["60 s", "1 s", "0 s", "0 s"]


def test_markup_escapes_what_it_is_given() -> None:
    """Text from outside cannot become HTML."""
    assert "<script>" not in markup.table(("<script>",), [(markup.text("<script>"),)])


def test_titles_are_words_with_their_unit() -> None:
    """A title that is only the name with capitals reads as words; one that somebody wrote stays as it is."""
    titles = {"every_s": "Every S", "contends_for": "Contends For", "mib_per_s": "Mib Per S", "p": "P95 (s)"}
    properties: dict[str, JsonValue] = {name: {"title": title} for name, title in titles.items()}
    shown = [field.title for field in forms.fields({"properties": properties})]
    assert shown == ["Every (s)", "Contends for", "Mib per s", "P95 (s)"]
