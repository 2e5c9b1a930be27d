"""``check --from``: rules against what an existing Prometheus has recorded. Nothing is lit, or changed there.

What that Prometheus has is the inventory; when its alerts would have fired is what was tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from faults.drills.check.coverage import lacking, signals_of
from faults.drills.check.errors import NoPrometheus
from faults.drills.check.horizon import recordings_of
from faults.drills.check.places import RulePlace, alerts_of
from faults.drills.check.reach import window_s
from faults.drills.check.replay import Past, past_of, replay
from faults.drills.check.responses import errors_of, once, response_of
from faults.drills.check.result import AlertResult, CheckResult, Episode
from faults.drills.check.tried import Tried
from faults.drills.check.verdicts import Known, verdict_of
from faults.drills.lint.finding import Finding
from faults.drills.lint.lint import lint
from stack.clients.prometheus import PrometheusClient
from stack.errors import SourceError, SourceUnreachable
from stack.pace import PRODUCTION
from stack.rules.file import RuleFile

TIMEOUT_S = 60.0
LONGEST_LOOK_BACK_S = 40 * 24 * 3600.0


def check_recorded(
    files: Sequence[RuleFile],
    url: str,
    *,
    since_s: float,
    complete: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> CheckResult:
    """Return what is known of every alert of ``files`` by the last ``since_s`` seconds of the Prometheus at ``url``.

    ``complete`` declares that what it has is all that there will ever be. Raises ``NoPrometheus`` and
    ``NothingRecorded``.
    """
    began = time.monotonic()
    known = recordings_of(files)
    windows = [window_s(rule.expr, known) or 0.0 for file in files for rule in file.alerts]
    look_back_s = min(max(windows, default=0.0), LONGEST_LOOK_BACK_S)
    try:
        with PrometheusClient(url, timeout_s=TIMEOUT_S) as client:
            past = past_of(client, files, since_s=since_s, end=time.time(), look_back_s=look_back_s, complete=complete)
            tried = replay(client, files, past, on_progress=on_progress)
    except SourceUnreachable as error:
        raise NoPrometheus(url, error.reason) from None
    except SourceError as error:
        raise NoPrometheus(url, str(error)) from None
    findings = lint(files, inventory=past.inventory, scrape_s=PRODUCTION.interval_s)
    return CheckResult(
        files=[str(file.path) for file in files],
        alerts=[_alert(place, files, past, tried, findings) for place in alerts_of(files)],
        findings=list(findings),
        scenarios=[tried.scenario.name],
        lasted_s=since_s,
        engine=f"Prometheus {past.version} at {url}",
        took_s=time.monotonic() - began,
    )


def _alert(
    at: RulePlace, files: Sequence[RuleFile], past: Past, tried: Tried, findings: Sequence[Finding]
) -> AlertResult:
    response = response_of([tried], at.ref)
    own = [finding for finding in findings if finding.place == at.place]
    recorded_here = {name for name, _ in recordings_of(files)}
    missing = lacking(at.rule.expr, signals_of(past.inventory))
    hints = [
        f"{clause}, which a recording rule of these files would make: load it there first"
        if clause.rpartition(" ")[2] in recorded_here
        else clause
        for clause in missing
    ]
    known = Known(
        steady=None,
        responses=[response],
        findings=own,
        lacking=hints,
        impossible=missing if past.inventory.complete else (),
        window_s=window_s(at.rule.expr, recordings_of(files)),
        lasted_s=past.end - past.recorded_since,
        for_s=at.rule.for_s,
        error=errors_of([tried], at.ref),
    )
    verdict, reason = verdict_of(known)
    return AlertResult(
        place=at.place,
        expr=at.rule.expr,
        for_s=at.rule.for_s,
        severity=at.rule.labels.get("severity", ""),
        verdict=verdict,
        reason=reason,
        quiet=None,
        window_s=known.window_s,
        responses=[response],
        findings=own,
        error=known.error,
        episodes=_episodes(tried, at),
    )


def _episodes(tried: Tried, at: RulePlace) -> list[Episode]:
    return [
        Episode(labels=dict(life.labels), active_at=life.active_at, fired_at=life.fired_at, ended_at=life.ended_at)
        for each in once([tried], at.ref)
        for life in each.course.lives
        if life.fired_at is not None
    ]
