"""What every form of a check's report says in the same words. Plain text, not escaped, not coloured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from faults.drills.check.result import AlertResult, CheckResult, Range, Response, Verdict
from faults.drills.check.scenarios import STEADY
from faults.drills.lint.finding import Finding
from faults.drills.report import amounts

NOISE = "false alarm"
"""What an alert is called that fires without any fault, whatever else it does."""
ORDER = (
    NOISE,
    Verdict.CANNOT_FIRE,
    Verdict.DID_NOT_FIRE,
    Verdict.INSUFFICIENT_HISTORY,
    Verdict.NOT_COVERED,
    Verdict.FIRES,
)
"""Worst first: what wakes people for nothing, then what would let them sleep."""


def standing(alert: AlertResult) -> str:
    """Return the verdict of an alert in the words of the report."""
    return NOISE if alert.quiet is False else alert.verdict.value


def in_order(alerts: Sequence[AlertResult]) -> list[AlertResult]:
    """Return ``alerts``, worst first, and in the order of their files among the same."""
    return sorted(alerts, key=lambda alert: ORDER.index(standing(alert)))


def span(times: Range | None) -> str:
    """Return a range of seconds: ``62–78 s``, ``5.2–5.8 min``."""
    if times is None:
        return amounts.NOTHING
    unit, by = ("s", 1.0) if times.most < 120 else ("min", 60.0) if times.most < 7200 else ("h", 3600.0)
    digits = 0 if unit == "s" else 1
    least, most = f"{times.least / by:.{digits}f}", f"{times.most / by:.{digits}f}"
    return f"{least} {unit}" if least == most else f"{least}–{most} {unit}"


def fired(alert: AlertResult) -> list[Response]:
    """Return the faults for which it fired, the steady state left out."""
    return [one for one in alert.responses if one.fired and one.scenario != STEADY]


def calm(alert: AlertResult) -> Response | None:
    """Return what it did in the steady state."""
    return next((one for one in alert.responses if one.scenario == STEADY), None)


def what_it_did(alert: AlertResult) -> str:
    """Return in a line for what it fires and after how long; or why it does not."""
    if alert.quiet is False or alert.verdict is not Verdict.FIRES:
        return alert.reason
    told = [_in_fault(one) for one in fired(alert)]
    resets = [one.reset_s for one in fired(alert) if one.reset_s is not None]
    if resets:
        whole = Range(least=min(one.least for one in resets), most=max(one.most for one in resets))
        told.append(f"resolved {span(whole)} after its end")
    stuck = [one.scenario for one in fired(alert) if one.resolved is False]
    if stuck:
        told.append(f"still firing at the end after {', '.join(stuck)}")
    flapping = max((one.flaps for one in fired(alert)), default=0)
    if flapping:
        told.append(f"flaps: fired again {amounts.count(flapping, 'time')}")
    return "; ".join(told) or alert.reason


def _in_fault(one: Response) -> str:
    often = "" if one.fired == one.tries else f" (in {one.fired} of {one.tries} tries)"
    return f"{one.scenario} {span(one.detection_s)}{often}"


def quietness(alert: AlertResult) -> str:
    """Return whether it is silent without a fault, in a word."""
    return amounts.NOTHING if alert.quiet is None else "quiet" if alert.quiet else "not quiet"


def place(finding: Finding) -> str:
    """Return where a finding's rule stands."""
    return f"{finding.place.file}:{finding.place.line}"


def docs_page(finding: Finding) -> str:
    """Return the page that explains a finding."""
    return f"docs/checks/{finding.check}.md"


def explained(finding: Finding) -> str:
    """Return what is wrong and what comes of it, in sentences."""
    return " ".join(
        words if words.endswith((".", "!", "?")) else f"{words}." for words in (finding.message, finding.consequence)
    )


def shown_repair(finding: Finding) -> str:
    """Return the repair, where it was run and fired; else nothing."""
    return finding.repair if finding.repair_fired else ""


def summary(result: CheckResult) -> str:
    """Return the last line of a report: how many alerts of which verdict."""
    counts = Counter(standing(alert) for alert in result.alerts)
    told = ", ".join(f"{counts[one]} {_plural(one, counts[one])}" for one in reversed(ORDER) if counts[one])
    files = amounts.count(len(result.files), "file")
    return f"{amounts.count(len(result.alerts), 'alert')} in {files}: {told}"


def _plural(word: str, count: int) -> str:
    if word == NOISE:
        return NOISE if count == 1 else f"{NOISE}s"
    return "fire" if word == Verdict.FIRES and count != 1 else str(word)


def tried(result: CheckResult) -> str:
    """Return what was tried, with what, and how long that took."""
    faults = [name for name in result.scenarios if name != STEADY]
    tries = max((one.tries for alert in result.alerts for one in alert.responses), default=0)
    what = f"{amounts.count(len(faults), 'fault')} and a {STEADY}" if len(faults) != len(result.scenarios) else ""
    what = what or f"{', '.join(result.scenarios)}"
    seeds = f", {amounts.count(len(result.seeds), 'seed')}" if len(result.seeds) > 1 else ""
    phases = f" in {amounts.count(tries, 'try').replace('trys', 'tries')} each{seeds}" if tries > 1 else ""
    dialect = f", dialect {result.dialect}" if result.dialect else ""
    engine = f"; judged by {result.engine}" if result.engine else ""
    return (
        f"tried: {what}, {amounts.seconds(result.lasted_s)} of virtual time{phases}{dialect}{engine}; "
        f"took {amounts.seconds(result.took_s)}"
    )
