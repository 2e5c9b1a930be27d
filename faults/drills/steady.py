"""The steady state: every expected alert is quiet, with enough history behind it for that to mean anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from faults.drills.alerts import rule_state
from faults.drills.episodes import Episode
from faults.drills.plan import Plan
from faults.drills.spec import Expectation
from faults.drills.watch import Sight
from faults.drills.wire import AlertVerdict


class Scraped(Protocol):
    """Knows for how long the service has been scraped."""

    async def history_s(self, needed_s: float, interval_s: float) -> float:
        """Return for how many seconds it was, without a gap, at least as far back as ``needed_s``."""


@dataclass(frozen=True)
class Unsteady:
    """Why expectation ``index`` of a drill is not in its steady state; ``verdict`` is what it is if it stays so."""

    index: int
    verdict: AlertVerdict
    sentence: str


async def unsteady(
    plan: Plan, sight: Sight, watcher: Scraped, *, began_at: float, traffic_changed_at: float
) -> tuple[Unsteady, ...]:
    """Return what keeps the drill from starting, at most one reason for each expected alert; raises ``SourceError``.

    Unix seconds: ``began_at`` is when the drill began, so that quiet is what Prometheus found since and not an answer
    from before; ``traffic_changed_at`` is when the drill changed the traffic, from when on it must hold.
    """
    hold_s = plan.pace.scale(plan.drill.steady_state.hold)
    needed_s = max([hold_s, *(plan.windows_s[one.alert] for one in plan.drill.expect)])
    history_s = max(await watcher.history_s(needed_s, plan.interval_s), plan.supplied_s)
    found = []
    for index, expectation in enumerate(plan.drill.expect):
        reason = _unsteady(index, expectation, sight, hold_s) or _unproven(
            index,
            expectation.alert,
            sight,
            window_s=plan.windows_s[expectation.alert],
            history_s=history_s,
            began_at=began_at,
        )
        if reason is None and sight.at - traffic_changed_at < hold_s:
            left_s = hold_s - (sight.at - traffic_changed_at)
            sentence = f"{expectation.alert}: holding {left_s:.1f} s more under the drill's traffic"
            reason = Unsteady(index, "insufficient history", sentence)
        if reason is not None:
            found.append(reason)
    return tuple(found)


def ringing(plan: Plan, sight: Sight, *, began_at: float, traffic_changed_at: float) -> str:
    """Return what keeps a drill from starting in which nothing may ring; empty where nothing does, or it may.

    Unix seconds, as above. It has to have been quiet for as long as the steady state is to be held.
    """
    if plan.drill.expect:
        return ""
    rings = sorted({rule.name for rule in sight.rules if rule.state == "firing"} - set(plan.drill.allow))
    if rings:
        return f"{', '.join(rings)}: firing before any fault, and nothing may ring in this drill"
    left_s = plan.pace.scale(plan.drill.steady_state.hold) - (sight.at - max(began_at, traffic_changed_at))
    return f"nothing rings; holding {left_s:.1f} s more" if left_s > 0 else ""


def _unsteady(index: int, expectation: Expectation, sight: Sight, hold_s: float) -> Unsteady | None:
    lives = sight.lives(expectation.alert, expectation.labels)
    active = [one for one in lives if one.resolved is None]
    if active:
        state, since = _state(active[0])
        text = f"{expectation.alert} has been {state} for {max(0.0, sight.at - since):.0f} s, before any fault"
        return Unsteady(index, "already firing", text)
    listed = [
        instance
        for rule in sight.named(expectation.alert)
        for instance in rule.alerts
        if instance.state in {"pending", "firing"} and expectation.labels.items() <= instance.labels.items()
    ]
    if listed:  # Prometheus itself says so, whatever the samples show
        since_s = max(0.0, sight.at - listed[0].active_at)
        text = f"{expectation.alert} has been {listed[0].state} for {since_s:.0f} s, before any fault"
        return Unsteady(index, "already firing", text)
    recent = max((one.resolved for one in lives if one.resolved is not None), default=None)
    if recent is not None and sight.at - recent < hold_s:
        text = f"{expectation.alert} was active until {sight.at - recent:.1f} s ago; it must be quiet for {hold_s:g} s"
        return Unsteady(index, "already firing", text)
    return None


def _state(episode: Episode) -> tuple[str, float]:
    return ("firing", episode.firing) if episode.firing is not None else ("pending", episode.began)


def _unproven(
    index: int, alert: str, sight: Sight, *, window_s: float, history_s: float, began_at: float
) -> Unsteady | None:
    rules = sight.named(alert)
    if not rules:
        return Unsteady(index, "insufficient history", f"{alert}: its rule is not loaded any more")
    if any(rule_state(rule) == "unknown" for rule in rules):
        reason = rules[0].last_error or "not evaluated yet"
        return Unsteady(index, "insufficient history", f"{alert} cannot be judged: {reason}")
    if history_s < window_s:
        text = f"{alert} looks back {window_s:g} s, and the service has been scraped for {history_s:.1f} s"
        return Unsteady(index, "insufficient history", text)
    if any(rule.evaluated_at is None or rule.evaluated_at <= began_at for rule in rules):
        return Unsteady(index, "insufficient history", f"{alert} has not been evaluated since the drill began")
    return None
