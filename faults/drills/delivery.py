"""Where an alert that fires is stuck on its way to the webhook: what Prometheus and Alertmanager say of it now.

It asks and changes nothing; a silence is shown, never lifted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from faults.drills.reasons import Reason
from faults.drills.wire import StageTimes
from stack.clients.alertmanager import AlertmanagerClient, ReceivedAlert, Silence
from stack.clients.prometheus import AlertRule, PrometheusClient
from stack.clients.routing import Routing
from stack.errors import SourceError

_FAILED = 'sum(increase(alertmanager_notification_requests_failed_total{integration="webhook"}[1m]))'


@dataclass(frozen=True)
class Standing:
    """How far an alert that fires has come, in a sentence that begins with ``firing``."""

    reason: Reason
    sentence: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """What is asked, and for whom: ``webhook`` is how the webhook's address ends."""

    prometheus: PrometheusClient
    alertmanager: AlertmanagerClient
    webhook: str


def standing(
    rule: AlertRule, stages: StageTimes, held: Sequence[ReceivedAlert], desk: Desk, *, at: float, group_wait_s: float
) -> Standing:
    """Return where ``rule``, which fires, stands at Unix second ``at``; ``held`` is all that Alertmanager holds.

    Blocks; raises ``SourceError`` where Alertmanager does not answer.
    """
    if stages.delivered is not None:
        return Standing("delivered", f"firing; delivered {at - stages.delivered:.0f} s ago")
    mine = [one for one in held if _is_of(one, rule)]
    if not mine:
        return _unsent(desk, group_wait_s)
    if all(one.silenced_by for one in mine):
        ids = {each for one in mine for each in one.silenced_by}
        return _silenced([one for one in desk.alertmanager.silences() if one.id in ids], at)
    if all(one.silenced_by or one.inhibited_by for one in mine):
        return _inhibited(mine, held)
    routing = desk.alertmanager.routing()
    told = routing.told_at(desk.webhook)
    if not any(set(one.receivers) & set(told) for one in mine):
        return _unrouted(mine, routing, told)
    return _grouped(rule, stages, mine, routing, desk, at=at)


def _unsent(desk: Desk, group_wait_s: float) -> Standing:
    """Return where an alert stands that Alertmanager does not hold."""
    known = desk.prometheus.alertmanagers()
    if not known:
        text = "firing; Prometheus knows no Alertmanager to send it to"
        return Standing("not sent", text, ("see `alerting:` in its configuration",))
    address = urlsplit(desk.alertmanager.url).netloc
    if not any(urlsplit(url).netloc == address for url in known):
        return Standing("not sent", f"firing; Prometheus sends to {', '.join(known)}, and not to {address}")
    return Standing("not sent", f"firing; waiting for Alertmanager (group_wait {group_wait_s:g} s)")


def _silenced(silences: Sequence[Silence], at: float) -> Standing:
    if not silences:
        return Standing("silenced", "firing; silenced, by a silence that has just ended")
    last = max(silences, key=lambda one: one.ends_at)
    left_s = max(0.0, last.ends_at - at)
    by = f" by {last.created_by}" if last.created_by else ""
    details = tuple(
        f"silence {one.id}: {', '.join(one.matchers)}{f' ({one.comment})' if one.comment else ''}" for one in silences
    )
    return Standing("silenced", f"firing; silenced{by} for {left_s:.0f} s more", details)


def _inhibited(mine: Sequence[ReceivedAlert], held: Sequence[ReceivedAlert]) -> Standing:
    by = {each for one in mine for each in one.inhibited_by}
    names = sorted({one.labels.get("alertname", one.fingerprint) for one in held if one.fingerprint in by})
    return Standing("inhibited", f"firing; inhibited by {', '.join(names) or 'an alert that has just ended'}")


def _unrouted(mine: Sequence[ReceivedAlert], routing: Routing, told: Sequence[str]) -> Standing:
    receivers = sorted({name for one in mine for name in one.receivers})
    details = [
        f"the route to {name}: {', '.join(route.matchers) or 'whatever no other route takes'}"
        for name in receivers
        for route in routing.leading_to(name)
    ]
    details.append(f"receivers with Firedrill's webhook: {', '.join(told) or 'none'}")
    text = f"firing; Alertmanager tells {', '.join(receivers) or 'nobody'} of it, and not the webhook"
    return Standing("not routed", text, tuple(details))


def _grouped(
    rule: AlertRule,
    stages: StageTimes,
    mine: Sequence[ReceivedAlert],
    routing: Routing,
    desk: Desk,
    *,
    at: float,
) -> Standing:
    """Return where an alert stands that nothing keeps from being delivered, when its time has come."""
    names = {name for one in mine for name in one.receivers}
    route = next((one for name in sorted(names) for one in routing.leading_to(name)), routing.root)
    since = stages.received or stages.firing or min(one.starts_at for one in mine)
    wait_s, interval_s = route.group_wait_s, route.group_interval_s
    text = f"firing; Alertmanager has it and waits for its group (group_wait {wait_s:g} s)"
    if at <= since + max(wait_s, interval_s) + 2 * rule.interval_s:
        known = f"where the group was there already it is the next group_interval, every {interval_s:g} s"
        return Standing("waiting for its group", text, (known,) if at > since + wait_s else ())
    try:
        failed = sum(sample.value for sample in desk.prometheus.query(_FAILED) if sample.value > 0)
    except SourceError:
        failed = 0.0
    because = f"; {failed:.0f} calls of the webhook failed in the last minute" if failed else ""
    overdue = f"firing; Alertmanager has had it for {at - since:.0f} s and has not delivered it{because}"
    return Standing("not delivered", overdue, (f"group_wait {wait_s:g} s, group_interval {interval_s:g} s",))


def _is_of(held: ReceivedAlert, rule: AlertRule) -> bool:
    firing = (one for one in rule.alerts if one.state == "firing")
    return held.labels.get("alertname") == rule.name and any(
        one.labels.items() <= held.labels.items() for one in firing
    )
