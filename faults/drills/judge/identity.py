"""The labels of an alert: those of what its expression found, with those of its rule. Nothing is asked of anybody.

The labels of a rule may be templates. ``{{ $labels.name }}``, ``{{ $value }}`` and ``{{ printf "%.2f" $value }}`` with
any text around them are expanded as Go would (so that an alert whose labels hold its value is a new alert at each new
value, and never comes to fire after a ``for``). Any other template stands there as it is written: what the expression
found tells such alerts apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache

from faults.drills.virtual.recording import Labels
from stack.rules.file import AlertingRule, RuleGroup

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"\s*(?:\$labels|\.Labels)\.([A-Za-z_]\w*)\s*")
_VALUE = re.compile(r"\s*(?:\$value|\.Value)\s*")
_PRINTED = re.compile(r'\s*printf\s+"([^"%\\]*)%(\.\d+)?([fv])([^"%\\]*)"\s+(?:\$value|\.Value)\s*')


class Identity:
    """Gives the alerts of one rule their labels."""

    def __init__(self, rule: AlertingRule, group: RuleGroup) -> None:
        self._own = {**group.labels, **rule.labels}
        self._templates = {name: text for name, text in self._own.items() if "{{" in text}
        self.unexpanded = tuple(name for name, text in self._templates.items() if not _understood(text))
        """Labels that stand as they are written."""
        self.by_value = any(_holds_value(text) for text in self._templates.values())
        """Whether the labels depend on the value."""

    def of(self, found: Mapping[str, str], value: float = 0.0) -> Labels:
        """Return the labels of the alert for one element of the result, sorted, without ``alertname``."""
        labels = {**found, **self._own}
        for name, text in self._templates.items():
            if name not in self.unexpanded:
                labels[name] = _ACTION.sub(lambda action: _expanded(action.group(1), found, value), text)
        for name in ("__name__", "alertname"):
            labels.pop(name, None)
        return tuple(sorted((name, text) for name, text in labels.items() if text))


@cache
def _understood(text: str) -> bool:
    bare = _ACTION.sub("", text)
    actions = _ACTION.findall(text)
    known = all(one.fullmatch(action) for action in actions for one in [_kind(action)])
    return known and "{{" not in bare


def _kind(action: str) -> re.Pattern[str]:
    return _PRINTED if "printf" in action else _VALUE if _VALUE.fullmatch(action) else _LABEL


def _holds_value(text: str) -> bool:
    return _understood(text) and any(
        "alue" in action for action in _ACTION.findall(text) if _kind(action) is not _LABEL
    )


def _expanded(action: str, found: Mapping[str, str], value: float) -> str:
    label = _LABEL.fullmatch(action)
    if label:
        return found.get(label.group(1), "")
    printed = _PRINTED.fullmatch(action)
    if not printed:
        return go_number(value)
    before, digits, verb, after = printed.groups()
    if verb == "v" and not digits:
        number = go_number(value)
    elif math.isfinite(value):
        number = f"{value:{digits or '.6'}{'f' if verb == 'f' else 'g'}}"
    else:
        number = go_number(value)
    return f"{before}{number}{after}"


def go_number(value: float) -> str:
    """Return ``value`` as Go's ``%v`` prints a float64: with an exponent below 0.0001 and from a million on.

    Source: Go, strconv/ftoa.go, format ``g`` with the shortest precision.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    exact = Decimal(repr(value))
    sign, digits, _ = exact.normalize().as_tuple()
    power = exact.adjusted() if exact else 0
    if -4 <= power < 6:
        text = f"{exact:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = "".join(map(str, digits))
    fraction = f".{mantissa[1:]}" if mantissa[1:] else ""
    return f"{'-' if sign else ''}{mantissa[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"
