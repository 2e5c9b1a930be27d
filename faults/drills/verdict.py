"""Judges one alert in one drill from its stage times and its bounds. Pure functions; no clock, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.wire import AlertOutcome, AlertVerdict, StageTimes, Verdict


@dataclass(frozen=True)
class Bounds:
    """By when an expected alert must have reached its stages, in seconds at the run's pace."""

    firing_within_s: float
    """After the fault."""
    delivered_within_s: float
    """After firing, and again after resolving."""
    resolved_within_s: float
    """After the rollback."""


@dataclass(frozen=True)
class Judgement:
    """What became of one alert, and why in a sentence."""

    verdict: AlertVerdict
    detail: str


def judge(stages: StageTimes, bounds: Bounds, *, fault_at: float, rollback_at: float, waited_for: str) -> Judgement:
    """Return what became of an expected alert; ``waited_for`` says what held it back where it never fired."""
    fired = _fired(stages, bounds, fault_at, waited_for)
    if isinstance(fired, Judgement):
        return fired
    if stages.delivered is None:
        came = "Alertmanager received it" if stages.received is not None else "Alertmanager did not receive it"
        return Judgement(
            "not delivered",
            f"fired, but was not delivered to the webhook within {bounds.delivered_within_s:g} s of firing; {came}",
        )
    delivery_s = stages.delivered - fired
    if delivery_s > bounds.delivered_within_s:
        text = f"delivered {delivery_s:.1f} s after it fired, later than {bounds.delivered_within_s:g} s"
        return Judgement("late", text)
    return _ended(stages, bounds, fired - fault_at, rollback_at)


def _fired(stages: StageTimes, bounds: Bounds, fault_at: float, waited_for: str) -> float | Judgement:
    if stages.firing is None:
        held = f"; {waited_for}" if waited_for else ""
        return Judgement("missed", f"did not fire within {bounds.firing_within_s:g} s of the fault{held}")
    after_s = stages.firing - fault_at
    if after_s > bounds.firing_within_s:
        return Judgement("late", f"fired {after_s:.1f} s after the fault, later than {bounds.firing_within_s:g} s")
    return stages.firing


def _ended(stages: StageTimes, bounds: Bounds, fired_after_s: float, rollback_at: float) -> Judgement:
    if stages.resolved is None:
        text = f"was still firing {bounds.resolved_within_s:g} s after the rollback"
        return Judgement("not resolved", text)
    after_s = stages.resolved - rollback_at
    if after_s > bounds.resolved_within_s:
        text = f"resolved {after_s:.1f} s after the rollback, later than {bounds.resolved_within_s:g} s"
        return Judgement("late", text)
    if stages.resolution_delivered is None:
        return Judgement("not delivered", "resolved, but the webhook was not told of its end")
    told_s = stages.resolution_delivered - stages.resolved
    if told_s > bounds.delivered_within_s:
        text = f"its end was delivered {told_s:.1f} s after it resolved, later than {bounds.delivered_within_s:g} s"
        return Judgement("late", text)
    ended = f"resolved {after_s:.1f} s after the rollback" if after_s >= 0 else "resolved before the rollback"
    return Judgement("as expected", f"fired {fired_after_s:.1f} s after the fault, {ended}, both delivered")


def sum_up(outcomes: Iterable[AlertOutcome], *, watched_s: float = 0.0) -> tuple[Verdict, str]:
    """Return the verdict of a drill that ran to its end, and the reason in a sentence.

    It passes only if every expected alert is as expected and nothing unexpected fired. ``watched_s`` is for how long
    nothing was to ring, where no alert was expected.
    """
    known = list(outcomes)
    wrong = [one for one in known if one.verdict != "as expected" and (one.expected or one.verdict == "unexpected")]
    if not wrong and any(one.expected for one in known):
        return "passed", "every expected alert fired, was delivered and resolved in time, and no other did"
    if not wrong and watched_s > 0.0:
        return "passed", f"nothing rang that may not, for {watched_s:g} s from the first fault on"
    return "failed", "; ".join(f"{one.alert}: {one.verdict or 'undecided'} ({one.detail})" for one in wrong)
