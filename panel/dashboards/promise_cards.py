"""An objective as HTML: what was promised, what came of it, what is left and how fast it goes. All is escaped."""

from __future__ import annotations

from collections.abc import Sequence

from panel import formats, markup, theme
from panel.dashboards import units
from panel.dashboards.answers import NO_DATA
from panel.dashboards.objectives import MEANINGS, BurnAlert, Objective
from stack.pace import Pace
from stack.rules.durations import format_duration, parse_duration

STATES = {
    "kept": theme.Look("✓", "kept", theme.GREEN, "green"),
    "broken": theme.Look("✗", "broken", theme.VERMILLION, "red"),
    NO_DATA: theme.Look("?", NO_DATA, theme.GREY, "gray"),
}
_ALERTS = {
    "firing": theme.ALERT_LOOKS["firing"],
    "pending": theme.ALERT_LOOKS["pending"],
    "quiet": theme.Look("○", "quiet", theme.GREEN, "green"),
    "short": theme.Look("…", "too little seen", theme.GREY, "gray"),
    NO_DATA: STATES[NO_DATA],
}
_HEAD = ("Alert", "Now", "Long window", "Burn rate", "Short window", "Burn rate", "Fires above", "For")


def card(objective: Objective, alerts: Sequence[BurnAlert], pace: Pace) -> str:
    """Return one objective with its figures and the alerts on its burn rates."""
    look = STATES[objective.state]
    meaning = MEANINGS.get(objective.slo, "of all events are good")
    promise = f"{_share(objective.promised)} {meaning}, over 30 days of production time{_here('30d', pace)}."
    facts = "".join(
        f"<div><dt>{markup.text(name)}</dt><dd>{value}</dd></div>" for name, value in _facts(objective, pace)
    )
    rows = [_row(objective, alert, pace) for alert in alerts]
    table = markup.table(_HEAD, rows, numeric=frozenset({3, 5, 6}))
    return (
        f'<section class="fd-slo" style="border-left-color:{look.color}"><h2>{markup.text(objective.slo)} '
        f"{markup.chip(look)}</h2><div>{markup.text(promise)}</div><dl>{facts}</dl>{table}</section>"
    )


def alert_state(objective: Objective, alert: BurnAlert) -> str:
    """Return what an alert says of an objective now: firing, pending, quiet, short (of evidence) or no data."""
    if alert.name in objective.alerts:
        return objective.alerts[alert.name]
    if objective.burn.get(alert.long) is None or objective.burn.get(alert.short) is None:
        return NO_DATA
    return "quiet" if objective.enough.get(alert.long, False) or objective.exceeded(alert) != (True, True) else "short"


def exhaustion(objective: Objective, pace: Pace) -> tuple[str, str]:
    """Return when the budget is gone if things go on as in the last hour, and that time at this pace."""
    if objective.left is None:
        return NO_DATA, ""
    if objective.hours is None:
        return "not in sight", "at the last hour's rate the budget does not run out"
    if objective.hours <= 0:
        return "spent", "nothing of the budget is left"
    seconds = objective.hours * 3600
    here = "" if pace.factor == 1.0 else f", {formats.span(pace.scale(seconds))} here"
    return f"in {units.text(objective.hours, 'h')}", f"at the last hour's rate{here}"


def _facts(objective: Objective, pace: Pace) -> list[tuple[str, str]]:
    when, why = exhaustion(objective, pace)
    return [
        ("Compliance", _figure(_share(objective.compliance), f"promised {_share(objective.promised)}")),
        ("Budget left", _figure(_share(objective.left), _left_words(objective))),
        ("Left in events", _figure(_events(objective.left_events, objective.unit), "that may still go wrong")),
        *([("In the period", _figure(*_period(objective)))] if objective.requests is not None else []),
        ("Budget exhausted", _figure(when, why)),
    ]


def _row(objective: Objective, alert: BurnAlert, pace: Pace) -> tuple[str, ...]:
    long_over, short_over = objective.exceeded(alert)
    look = _ALERTS[alert_state(objective, alert)]
    return (
        f"{markup.text(alert.name)} <small>{markup.text(alert.severity)}</small>",
        markup.chip(look),
        markup.text(f"{alert.long}{_here(alert.long, pace)}"),
        _rate(objective.burn.get(alert.long), long_over),
        markup.text(f"{alert.short}{_here(alert.short, pace)}"),
        _rate(objective.burn.get(alert.short), short_over),
        markup.text(f"{alert.factor:g}×"),
        markup.text(f"{format_duration(alert.for_s)}{_here(format_duration(alert.for_s), pace)}"),
    )


def _rate(rate: float | None, over: bool | None) -> str:
    if rate is None:
        return NO_DATA
    words = f"{rate:.3g}×"
    return f"<b>▲ {words}</b>" if over else markup.text(words)


def _period(objective: Objective) -> tuple[str, str]:
    return _events(objective.requests, "request"), f"{_events(objective.bad, 'bad one')} among them"


def _left_words(objective: Objective) -> str:
    if objective.left is None:
        return "no event has been seen"
    return "overspent" if objective.left < 0 else "of the error budget"


def _figure(value: str, words: str) -> str:
    return f"{markup.text(value)}<small>{markup.text(words)}</small>"


def _share(value: float | None) -> str:
    """Return a share in percent with as many decimals as tell 99.9 from 100; never rounded up to 100 %."""
    if value is None:
        return NO_DATA
    percent = value * 100
    shown = f"{percent:.2f}"
    if percent < 100 and shown == "100.00":
        shown = "99.99"
    return f"{shown.rstrip('0').rstrip('.')}\u00a0%".replace("-", units.MINUS)


def _events(number: float | None, noun: str) -> str:
    if number is None:
        return NO_DATA
    return formats.count(round(number), noun).replace("-", units.MINUS)


def _here(window: str, pace: Pace) -> str:
    """Return how long a window of production time is at this pace, where that is another."""
    return "" if pace.factor == 1.0 else f" ({formats.span(pace.scale(parse_duration(window)))} here)"
