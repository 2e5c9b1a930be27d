"""What the pages say of drill runs: verdict, stages measured next to predicted, files to take along, scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from faults.drills.report import amounts
from faults.drills.report.batch import Batch
from faults.drills.report.stages import stage_rows
from faults.drills.report.words import CAVEAT, score_figures, scored_alerts, summary_rows
from faults.drills.wire import AlertOutcome, DrillRun
from panel import formats, markup
from panel.downloads import Download

_STAGES = ("", "Stage", "Since the fault", "Since put out", "Predicted", "", "Why")
_SUMMARY = ("Drill", "Result", "Detected after", "Reset after", "Took", "Why")
_SCORES = ("Alert", "Detected", "Missed", "Unexpected", "Precision", "Recall", "Detected after", "Reset after")


def verdict(run: DrillRun) -> None:
    """Draw the verdict with its reason, or what a run under way waits for and what comes next."""
    reason = run.reason[:1].upper() + run.reason[1:]
    if run.verdict is None:
        coming = f"  \nNext: {run.coming}" if run.coming else ""
        st.info(f"{run.progress or 'It runs.'}{coming}", icon=":material/sprint:")
    elif run.verdict == "passed":
        st.success(f"**Passed.** {reason}", icon=":material/verified:")
    elif run.verdict == "failed":
        st.error(f"**Failed.** {reason}", icon=":material/cancel:")
    else:
        st.warning(f"**{run.verdict.capitalize()}.** {reason}", icon=":material/report:")
    for warning in run.warnings:
        st.warning(warning, icon=":material/info:")


def outcome(run: DrillRun, one: AlertOutcome) -> None:
    """Draw one alert of a run: what was expected of it, when it reached each stage, and when it was due there."""
    words = "expected" if one.expected else "not expected"
    labels = ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()))
    facts = [words, one.verdict or "undecided"]
    if one.detection_s is not None:
        facts.append(f"detected after {amounts.seconds(one.detection_s)}")
    if one.reset_s is not None:
        facts.append(f"reset after {amounts.seconds(one.reset_s)}")
    st.markdown(f"**{one.alert}** · {' · '.join(facts)}" + (f"  \n:gray[{labels}]" if labels else ""))
    if one.detail:
        st.caption(one.detail)
    if not one.checks and (run.verdict is None or not one.expected):
        st.markdown(markup.stage_track(one.stages, run.fault_at), unsafe_allow_html=True)
        return
    rows = [
        (
            str(row.number),
            markup.text(row.name),
            markup.text(_signed(row.at_s)),
            markup.text(_signed(row.measured_s)) if row.since == "put out" else "",
            markup.text(row.predicted),
            row.tick,
            f"<small>{markup.text(row.cause.replace(chr(96), ''))}</small>",
        )
        for row in stage_rows(run, one)
    ]
    st.markdown(markup.table(_STAGES, rows, numeric=frozenset({0, 2, 3, 4})), unsafe_allow_html=True)


def downloads(files: Iterable[Download], *, key: str) -> None:
    """Draw one button for each file; it is rendered when it is asked for."""
    with st.container(horizontal=True, key=key):
        for each in files:
            st.download_button(
                each.label,
                each.content,
                each.name,
                each.mime,
                key=f"{key}-{each.name}",
                icon=":material/download:",
                on_click="ignore",
            )


def summary(batch: Batch) -> None:
    """Draw how the drills of ``batch`` went, with precision and recall."""
    figures = score_figures(batch)
    for column, (name, value) in zip(st.columns(len(figures), gap="small"), figures, strict=True):
        column.metric(name.capitalize(), value, border=True)
    st.caption(CAVEAT)
    _table(_SUMMARY, summary_rows(batch), numeric=frozenset({2, 3, 4}))
    if scored := scored_alerts(batch):
        _table(_SCORES, scored, numeric=frozenset({1, 2, 3, 4, 5}))


def comparison(left: DrillRun, right: DrillRun) -> None:
    """Draw when each alert of either run reached each stage, in both, and the difference."""
    rows = []
    others = {(one.alert, tuple(sorted(one.labels.items()))): one for one in right.outcomes}
    for one in left.outcomes:
        other = others.get((one.alert, tuple(sorted(one.labels.items()))))
        for row, match in zip(
            stage_rows(left, one), stage_rows(right, other or AlertOutcome(alert="", expected=False)), strict=True
        ):
            ours, theirs = row.measured_s, match.measured_s
            if ours is None and theirs is None:
                continue
            apart = None if ours is None or theirs is None else theirs - ours
            cells = (one.alert, f"{row.name}, since {row.since}", _signed(ours), _signed(theirs), _signed(apart))
            rows.append(tuple(markup.text(cell) for cell in cells))
    ends = (_took(left), _took(right))
    rows.append(("", "whole run", *(formats.span(took) for took in ends), _signed(ends[1] - ends[0])))
    head = ("Alert", "Stage", f"{left.id} ({left.verdict})", f"{right.id} ({right.verdict})", "Difference")
    st.markdown(markup.table(head, rows, numeric=frozenset({2, 3, 4})), unsafe_allow_html=True)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: frozenset[int]) -> None:
    cells = [tuple(markup.text(cell) for cell in row) for row in rows]
    st.markdown(markup.table(head, cells, numeric=numeric), unsafe_allow_html=True)


def _took(run: DrillRun) -> float:
    return (run.ended_at or run.queued_at) - run.queued_at


def _signed(seconds: float | None) -> str:
    if seconds is None:
        return formats.NOTHING
    return f"{'+' if seconds >= 0 else chr(0x2212)}{amounts.seconds(abs(seconds))}"
