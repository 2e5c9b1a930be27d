"""Which of the five verdicts an alert gets, and what it rests on. They are never mixed. Pure functions.

The order matters. What was seen to fire fires, whatever anybody proved; what was proved not to cannot; what was not
covered, or not for long enough, was not tried; only the rest did not fire here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from faults.drills.check.result import Closest, Response, Verdict
from faults.drills.check.whys import number
from faults.drills.condition import Comparison
from faults.drills.lint.finding import Finding
from faults.drills.report import amounts

LONGEST_S = 4 * 3600.0
"""A rule that needs more than this is not tried by making the drill longer."""


@dataclass(frozen=True)
class Known:
    """All that is known of one alert when it is judged."""

    steady: Response | None
    responses: Sequence[Response]
    findings: Sequence[Finding]
    lacking: Sequence[str]
    """What its expression needs and there is not."""
    window_s: float | None
    lasted_s: float
    """How much was recorded before the fault ended: what a window can be filled with."""
    for_s: float = 0.0
    error: str = ""
    """Why the engine could not evaluate it."""
    impossible: Sequence[str] = ()
    """What it needs and an inventory that was declared complete does not have."""
    elsewhere: Sequence[str] = ()
    """Dialects in which its series are covered."""


def verdict_of(known: Known) -> tuple[Verdict, str]:
    """Return the verdict, and in a sentence what it rests on."""
    return _seen(known) or _proved(known) or _not_tried(known) or (Verdict.DID_NOT_FIRE, _did_not(known))


def _seen(known: Known) -> tuple[Verdict, str] | None:
    """Return that it fired, where what it looks at was there."""
    if known.lacking:
        return None
    if known.steady is not None and known.steady.fired:
        return Verdict.FIRES, "it fires without any fault, so that its firing in a fault proves nothing"
    fired = [one for one in known.responses if one.fired]
    return (Verdict.FIRES, _fires(fired)) if fired else None


def _proved(known: Known) -> tuple[Verdict, str] | None:
    """Return that it cannot fire, by a finding or by an inventory."""
    proof = next((finding for finding in known.findings if finding.cannot_fire), None)
    if proof is not None:
        return Verdict.CANNOT_FIRE, f"{_sentence(proof.message)} {_sentence(proof.consequence)}".strip()
    if known.impossible:
        return Verdict.CANNOT_FIRE, f"{'; '.join(known.impossible)} in the inventory, which was declared complete"
    return None


def _not_tried(known: Known) -> tuple[Verdict, str] | None:
    """Return why nothing was learnt of it, or not for long enough."""
    if known.lacking:
        return Verdict.NOT_COVERED, _not_covered(known)
    if known.error or known.window_s is None or known.window_s + known.for_s <= known.lasted_s:
        return None
    waits = f" and has to hold for {amounts.seconds(known.for_s)}" if known.for_s else ""
    return Verdict.INSUFFICIENT_HISTORY, (
        f"it looks back {amounts.seconds(known.window_s)}{waits}, and {amounts.seconds(known.lasted_s)} were recorded "
        f"when the fault ended{_for_longer(known)}"
    )


def is_quiet(known: Known) -> bool | None:
    """Say whether it stayed silent in the steady state; ``None`` where nothing was learnt of that.

    The silence of an alert that looks back further than that lasted says something only where it fires for a fault.
    """
    if known.steady is None or known.lacking or known.error:
        return None
    if known.steady.fired:
        return False
    could_fire = any(one.fired for one in known.responses)
    return True if could_fire or known.window_s is None or known.window_s <= known.lasted_s else None


def _for_longer(known: Known) -> str:
    """Return what could be done about a history that is too short, where anything can."""
    needed_s = (known.window_s or 0.0) + known.for_s
    if needed_s > LONGEST_S:
        return "; a drill with a history of its own can try it (docs/drills.md)"
    return "; try more by --for"


def _fires(fired: Sequence[Response]) -> str:
    told = []
    for one in fired:
        after = (
            "" if one.detection_s is None else f" after {amounts.reach(one.detection_s.least, one.detection_s.most)}"
        )
        often = "" if one.fired == one.tries else f" in {one.fired} of {one.tries} tries"
        told.append(f"{one.scenario}{after}{often}")
    return "; ".join(told)


def _not_covered(known: Known) -> str:
    said = "; ".join(known.lacking)
    if known.elsewhere:
        return f"{said}; the dialect {' or '.join(known.elsewhere)} has them: try --dialect {known.elsewhere[0]}"
    return f"{said}: nothing was learnt of it"


def _did_not(known: Known) -> str:
    """Return what was tried, and how near it came."""
    if known.error:
        return f"the engine could not evaluate it: {known.error}"
    already = [one for one in known.responses if one.already]
    if already:
        return f"{already[0].scenario}: {already[0].why}"
    near = nearest_response([*known.responses, *([known.steady] if known.steady else [])])
    tried = amounts.count(len(known.responses), "fault") if known.responses else "the steady state alone"
    if near is None:
        return f"tried: {tried}; nothing more is known"
    return f"tried: {tried}; nearest in {near.scenario}: {near.why}"


def nearest_response(responses: Sequence[Response]) -> Response | None:
    """Return the response in which the alert came nearest to firing: pending before a value, a value before nothing."""
    silent = [one for one in responses if one.why]
    pending = [one for one in silent if one.closest is None or _holds(one.closest)]
    pending = [one for one in pending if "`for`" in one.why]
    if pending:
        return pending[0]
    with_value = [one for one in silent if one.closest is not None]
    if not with_value:
        return silent[0] if silent else None
    return min(with_value, key=lambda one: _distance(one.closest))


def _holds(closest: Closest) -> bool:
    return Comparison(closest.expr, closest.operator, closest.threshold).holds(closest.value)


def _distance(closest: Closest | None) -> float:
    return abs(closest.value - closest.threshold) if closest is not None else float("inf")


def _sentence(words: str) -> str:
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."


def closest_words(closest: Closest | None) -> str:
    """Return the nearest that a value came, beside its threshold."""
    if closest is None:
        return ""
    return f"{number(closest.value)} (needs {closest.operator} {number(closest.threshold)})"
