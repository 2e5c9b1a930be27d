"""What makes a check fail, by what its user asked for. Pure functions over a result."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from enum import StrEnum

from faults.drills.check.errors import UnknownFailOn
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.lint.finding import Finding


class FailOn(StrEnum):
    """One thing for which a check fails."""

    NEVER = "never"
    ERROR = "error"
    WARNING = "warning"
    NOISY = "noisy"
    CANNOT_FIRE = "cannot-fire"
    DID_NOT_FIRE = "did-not-fire"
    NOT_COVERED = "not-covered"
    INSUFFICIENT_HISTORY = "insufficient-history"


DEFAULT = "error,cannot-fire,noisy"
MEANINGS = {
    FailOn.NEVER: "the exit status is 0 whatever is found",
    FailOn.ERROR: "a finding of severity error, or a rule that the engine cannot evaluate",
    FailOn.WARNING: "any finding of severity error or warning",
    FailOn.NOISY: "an alert that fires without any fault",
    FailOn.CANNOT_FIRE: "an alert that is proved never to fire",
    FailOn.DID_NOT_FIRE: "an alert that fired for nothing that was tried",
    FailOn.NOT_COVERED: "an alert whose series are not among those that were recorded",
    FailOn.INSUFFICIENT_HISTORY: "an alert that looks back further than what was recorded",
}
_BY_VERDICT = {
    Verdict.CANNOT_FIRE: FailOn.CANNOT_FIRE,
    Verdict.DID_NOT_FIRE: FailOn.DID_NOT_FIRE,
    Verdict.NOT_COVERED: FailOn.NOT_COVERED,
    Verdict.INSUFFICIENT_HISTORY: FailOn.INSUFFICIENT_HISTORY,
}


def read_fail_on(text: str) -> frozenset[FailOn]:
    """Return what ``text`` lists, divided by commas; raise ``UnknownFailOn``."""
    found: set[FailOn] = set()
    for word in filter(None, map(str.strip, text.split(","))):
        if word not in set(FailOn):
            close = difflib.get_close_matches(word, list(FailOn), n=1)
            raise UnknownFailOn(word, list(FailOn), close[0] if close else "")
        found.add(FailOn(word))
    if FailOn.NEVER in found and len(found) > 1:
        raise UnknownFailOn(text, list(FailOn), "", reason="`never` stands alone")
    return frozenset(found - {FailOn.NEVER})


def failings(result: CheckResult, fail_on: frozenset[FailOn]) -> list[tuple[AlertResult | Finding, FailOn, str]]:
    """Return each thing for which the check fails, with why in a sentence; empty where it passes."""
    found: list[tuple[AlertResult | Finding, FailOn, str]] = []
    for alert in result.alerts:
        found += [(alert, reason, words) for reason, words in of_alert(alert) if reason in fail_on]
    places = {alert.place for alert in result.alerts}
    for finding in result.findings:
        if finding.place not in places:
            found += [(finding, reason, words) for reason, words in _of_finding(finding) if reason in fail_on]
    return found


def of_alert(alert: AlertResult) -> Iterator[tuple[FailOn, str]]:
    """Yield everything that speaks against an alert."""
    if alert.quiet is False:
        yield FailOn.NOISY, alert.reason
    if alert.verdict in _BY_VERDICT:
        yield _BY_VERDICT[alert.verdict], alert.reason
    if alert.error:
        yield FailOn.ERROR, f"the engine could not evaluate it: {alert.error}"
    yield from _of_findings(alert.findings)


def _of_findings(findings: Sequence[Finding]) -> Iterator[tuple[FailOn, str]]:
    for finding in findings:
        yield from _of_finding(finding)


def _of_finding(finding: Finding) -> Iterator[tuple[FailOn, str]]:
    words = f"{finding.check}: {finding.message}"
    if finding.severity == "error":
        yield FailOn.ERROR, words
    if finding.severity in {"error", "warning"}:
        yield FailOn.WARNING, words
