"""What an alert waits for, in a sentence."""

from __future__ import annotations

from faults.drills.alerts import waits_for
from faults.drills.wire import StageTimes
from stack.clients.prometheus import AlertRule

TROUBLE = "Alertmanager is unreachable at http://127.0.0.1:9093 (refused)"


def rule() -> AlertRule:
    """Return a rule that fires."""
    return AlertRule("A", "g", "up == 0", 20.0, 0.0, {}, {}, "firing", "ok", "", 99.0, 1.0, ())


def sentence(trouble: str, *, delivered: float | None = None) -> str:
    """Return what is said of an alert that fired at 90, at 100."""
    stages = StageTimes(firing=90.0, delivered=delivered)
    return waits_for(rule(), stages, None, (), at=100.0, group_wait_s=2.0, trouble=trouble)


def test_an_alert_that_nobody_can_receive_says_so() -> None:
    """While Alertmanager is gone a firing alert waits for it and names it; what was delivered already stays so."""
    assert sentence("") == "firing; waiting for Alertmanager (group_wait 2 s)"
    assert sentence(TROUBLE) == f"firing; {TROUBLE}"
    assert sentence(TROUBLE, delivered=95.0) == "firing; delivered 5 s ago"
