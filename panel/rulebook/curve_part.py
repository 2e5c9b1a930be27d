"""Detection curves on the page: how long alerts take, and how strong a fault has to be before they fire."""

from __future__ import annotations

import streamlit as st

from faults.drills.check import curve_words as words
from faults.drills.check import phrases
from faults.drills.check.curve import Curve, Curves
from faults.drills.check.scenarios import ready_faults
from panel import formats, markup, plots, run_parts
from panel.drawings import Drawings
from panel.rulebook import asking, figures, takeaway
from panel.rulebook.answers import CheckAnswer, CurveAnswer
from panel.rulebook.options import Tried
from panel.rulebook.proofreading import Effort, Proof
from panel.rulebook.questions import CurveQuestion
from panel.rulebook.workbench import Job
from panel.sources import Sources

MOST_ALERTS = 6
STRENGTHS = 11
"""About so many are tried: six at first, and five of the bisection."""
_HEAD = ("fired", "from the fault to firing", "from its end to resolved")


def draw(sources: Sources, proof: Proof, tried: Tried, stem: str) -> None:
    """Draw the choices, the job, and its curves."""
    left, right = st.columns([1, 2.2])
    graded = [one.name for one in ready_faults() if one.intensity is not None]
    fault = left.selectbox("Fault", graded, key="rules-curve-fault", bind="query-params")
    alerts = right.multiselect(
        "Alerts",
        proof.alerts,
        _usual(sources, proof, tried, fault),
        key=f"rules-curve-alerts-{proof.text.id}-{fault}",
        max_selections=MOST_ALERTS,
        placeholder="choose up to six",
    )
    varied = next(one.intensity for one in ready_faults([fault]) if one.name == fault)
    if not alerts:
        st.info("Choose at least one alert: its curve shows from which strength of the fault on it fires.")
        return
    question = CurveQuestion(
        name=proof.text.name,
        body=proof.text.body,
        dialect=tried.dialect,
        for_s=tried.for_s,
        seeds=tried.seeds,
        fault=fault,
        alerts=tuple(one for one in proof.alerts if one in alerts),
    )
    what = f"{varied.name} from {varied.least:g} to {varied.most:g} {varied.unit}" if varied else ""
    told = (
        f"Varies **{what}**: six strengths first, then bisection where firing begins, to within a tenth; "
        f"**about {formats.span(_guess_s(sources, proof, tried))}**. What was tried before is not tried again."
    )
    job = asking.job_of(sources, question, label="Draw the curves", told=told)
    answer = job.answered(CurveAnswer) if job else None
    if job is not None and answer is not None:
        _curves(sources.drawings, job, answer.curves, stem)


def _guess_s(sources: Sources, proof: Proof, tried: Tried) -> float:
    """Return about how long the curves take, in seconds."""
    horizon = proof.horizon(tried.for_s)
    lasts_s = 0.0 if horizon is None else horizon.lasts_s
    return sources.rulebook.guess(Effort(STRENGTHS * tried.seeds, lasts_s)).seconds


def _usual(sources: Sources, proof: Proof, tried: Tried, fault: str) -> list[str]:
    """Return the alerts that the check saw fire for the fault, or for any; the first where there was no check."""
    job = sources.rulebook.workbench.job(tried.check(proof.text).key)
    answer = job.answered(CheckAnswer) if job else None
    sane = [alert for alert in answer.result.alerts if alert.quiet] if answer is not None else []
    fired = {alert.place.rule: {one.scenario for one in phrases.fired(alert)} for alert in sane}
    kind = fault.partition(" (")[0]
    here = [name for name, faults in fired.items() if any(one.partition(" (")[0] == kind for one in faults)]
    anywhere = [name for name, faults in fired.items() if faults]
    return (here or anywhere or list(proof.alerts[:1]))[:MOST_ALERTS]


def _curves(drawings: Drawings, job: Job, curves: Curves, stem: str) -> None:
    for curve in curves.curves:
        sign = ":green-badge[✓ fires]" if curve.fired else ":orange-badge[○ silent]"
        st.markdown(f"{sign} **{words.threshold(curve, curves)}.**")
    if any(curve.fired for curve in curves.curves):
        drawing = drawings.get(("rules", job.key), 0, lambda: figures.curve_figure(curves))
        alt = f"{words.title(curves)}: {'; '.join(words.threshold(one, curves) for one in curves.curves)}"
        plots.draw(drawing, key=f"curves-{job.key}", alt=alt, title=words.title(curves))
    st.caption(f"{words.about(curves)}. Lines are medians, bands reach from the shortest to the longest time.")
    for curve in curves.curves:
        _table(curve, curves)
    run_parts.downloads(takeaway.of_curves(curves, stem), key="curve-files")


def _table(curve: Curve, curves: Curves) -> None:
    with st.expander(f"{curve.alert} by strength", icon=":material/table:"):
        for note in curve.notes:
            st.caption(f"Note: {note}.")
        rows = [
            tuple(
                map(
                    markup.text,
                    (
                        words.intensity(one.intensity, curves),
                        words.fired(one),
                        words.span(one.detection_s),
                        words.reset(one),
                    ),
                )
            )
            for one in curve.points
        ]
        head = (curves.parameter, *_HEAD)
        st.markdown(markup.table(head, rows, numeric=frozenset({0, 2, 3})), unsafe_allow_html=True)
