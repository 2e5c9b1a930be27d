"""What a curve is drawn of: the fault, what is varied of it and between which bounds, the alerts. It tries nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from faults.base import Fault, catalogue
from faults.drills.check.errors import CheckError
from faults.drills.check.places import RulePlace, alerts_of
from faults.drills.check.scenarios import Intensity, ReadyFault, ready_faults
from stack.rules.file import RecordingRule, RuleFile

PROBABILITY = Intensity("probability", 0.001, 1.0, "share of calls")
_LIMITS = ("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")


class NotVaried(CheckError):  # noqa: N818 - reads as a fact where it is raised
    """A fault cannot be made stronger and weaker as it was asked for."""

    def __init__(self, fault: str, reason: str) -> None:
        self.fault, self.reason = fault, reason
        super().__init__(f"no curve of {fault}: {reason}")


class NoSuchAlert(CheckError):  # noqa: N818 - as above
    """An alert was named that the rules do not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        close = difflib.get_close_matches(name, known, n=2)
        meant = f"did you mean {' or '.join(close)}?" if close else f"there are: {', '.join(known)}"
        super().__init__(f"these rules have no alert named {name!r}; {meant}")


def varied(
    name: str, *, parameter: str = "", least: float | None = None, most: float | None = None
) -> tuple[ReadyFault, float, float]:
    """Return the fault ``name`` with what is varied of it, and from where to where.

    Raises ``NothingToTry`` for a fault that is none, and ``NotVaried``.
    """
    fault = ready_faults([name])[0]
    fault = replace(fault, intensity=_intensity(fault, parameter))
    known = fault.intensity
    if known is None:
        raise NotVaried(fault.name, "nothing makes it stronger or weaker; name one of its parameters by --parameter")
    low, high = known.least if least is None else least, known.most if most is None else most
    if not 0.0 < low < high:
        raise NotVaried(
            fault.name, f"--from {low:g} --to {high:g}: the first has to be above 0, and less than the second"
        )
    if known.name == PROBABILITY.name and high > 1.0:
        raise NotVaried(fault.name, f"--to {high:g}: a probability is 1 at most")
    if known.name != PROBABILITY.name:
        for value in (low, high):
            _validated(fault, known.name, value)
    return fault, low, high


def _intensity(fault: ReadyFault, parameter: str) -> Intensity | None:
    if not parameter or (fault.intensity is not None and fault.intensity.name == parameter):
        return fault.intensity
    if parameter == PROBABILITY.name:
        return PROBABILITY
    fields = _kind(fault).parameters_type.model_json_schema().get("properties", {})
    numeric = {name: one for name, one in fields.items() if one.get("type") in {"number", "integer"}}
    if parameter not in numeric:
        has = ", ".join(["probability", *numeric])
        raise NotVaried(fault.name, f"it has no parameter {parameter!r} that is a number; it has {has}")
    low, high = (
        next((float(numeric[parameter][key]) for key in keys if key in numeric[parameter]), None) for keys in _LIMITS
    )
    return Intensity(parameter, low or (high or 1000.0) / 1000.0, high or (low or 1.0) * 1000.0, "")


def _validated(fault: ReadyFault, parameter: str, value: float) -> None:
    whole = isinstance(fault.parameters.get(parameter), int)
    given = {**fault.parameters, parameter: round(value) if whole else value}
    try:
        _kind(fault).parameters_type.model_validate(given)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise NotVaried(fault.name, f"{parameter} {value:g}: {said[:1].lower()}{said[1:]}") from None


def _kind(fault: ReadyFault) -> type[Fault[object]]:  # type: ignore[type-var]
    return catalogue()[fault.kind]  # type: ignore[return-value]


def chosen_alerts(files: Sequence[RuleFile], names: Sequence[str]) -> list[RulePlace]:
    """Return the alerts called ``names``, all where there are none; raise ``NoSuchAlert``."""
    every = list(alerts_of(files))
    known = list(dict.fromkeys(one.rule.name for one in every))
    for name in names:
        if name not in known:
            raise NoSuchAlert(name, known)
    return [one for one in every if not names or one.rule.name in names]


def only(files: Sequence[RuleFile], alerts: Sequence[RulePlace]) -> tuple[RuleFile, ...]:
    """Return ``files`` with no other alerts than these, so that nobody evaluates the rest; recordings stay."""
    kept = {(one.ref.file, one.ref.group, one.rule.line, one.rule.name) for one in alerts}
    return tuple(
        replace(
            file,
            groups=tuple(
                replace(
                    group,
                    rules=tuple(
                        rule
                        for rule in group.rules
                        if isinstance(rule, RecordingRule) or (str(file.path), group.name, rule.line, rule.name) in kept
                    ),
                )
                for group in file.groups
            ),
        )
        for file in files
    )
