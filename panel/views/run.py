"""One run of a drill: how far it is, what came of it, its report to take along, and how it differs from another."""

from __future__ import annotations

import time
from typing import get_args

import streamlit as st

from faults.drills.report.batch import batch_of
from faults.drills.wire import DrillRun, Phase
from panel import downloads, formats, lives, queries, roles, run_parts, widgets
from panel.sources import ACTOR, Sources

_PHASES: tuple[Phase, ...] = get_args(Phase)


def draw(sources: Sources, run_id: str) -> None:
    """Draw the run ``run_id``; it goes on by itself, and the page follows it."""
    widgets.live(sources, lambda: _run(sources, run_id))
    run = sources.run.get(run_id).value
    if run is not None and run.phase == "done":
        _report(sources, run)
        _compare(sources, run)


def _run(sources: Sources, run_id: str) -> None:
    run = widgets.value_of(sources.run.get(run_id))
    if run is None:
        return
    _notice_end(run)
    now = run.ended_at or time.time()
    title, button = st.columns([4, 1], vertical_alignment="center")
    title.subheader(run.title)
    if run.verdict is None and button.button(
        "Abort",
        icon=":material/stop_circle:",
        width="stretch",
        key="abort",
        **roles.acting(about="Ends the drill now and puts its faults out."),
    ):
        widgets.act(sources, lambda: sources.conductor.abort(run_id, actor=ACTOR))
    run_parts.verdict(run)
    if run.verdict is None:
        phase = " → ".join(f"**{p.replace('_', ' ')}**" if p == run.phase else p.replace("_", " ") for p in _PHASES)
        took, whole = now - run.queued_at, max(run.estimate_s, 1.0)
        about = f" · {formats.span(took)} of about {formats.span(run.estimate_s)}" if run.estimate_s else ""
        st.progress(min(0.98, took / whole), text=phase + about)
    times = (("lit", run.fault_at), ("put out", run.rollback_at), ("ended", run.ended_at))
    facts = " · ".join(f"{word} {formats.clock(at)}" for word, at in times if at is not None)
    st.markdown(
        f"`{run.name}` at {run.pace} pace · seed {run.seed} · started {formats.clock(run.queued_at)}"
        + (f" · {facts}" if facts else "")
    )
    if run.outcomes:
        _timeline(sources, run, now)
    for one in run.outcomes:
        run_parts.outcome(run, one)


def _notice_end(run: DrillRun) -> None:
    """Draw the whole page anew once when a run is over that was watched: its report, kept last of all, comes below."""
    state = f"watched-{run.id}"
    if run.phase != "done":
        st.session_state[state] = True
    elif st.session_state.pop(state, False):
        st.rerun()


def _timeline(sources: Sources, run: DrillRun, now: float) -> None:
    shown = [
        lives.AlertLife(each.alert, each.stages, now if run.verdict is None or each.stages.firing else None)
        for each in run.outcomes
    ]
    start = run.queued_at if run.fault_at is None else run.fault_at - (now - run.fault_at) * 0.08
    lit = [record for record in sources.faults.get().value or [] if record.id in run.fault_ids]
    bands = queries.fault_bands(lit, (), start, now)
    if not bands and run.fault_at is not None:
        bands = (queries.Band("fault", run.fault_at, run.rollback_at or now),)
    widgets.lives_chart(shown, bands, start, now + (now - start) * 0.03, key="run-lives")


def _report(sources: Sources, run: DrillRun) -> None:
    st.subheader("Report")
    evidence = sources.evidence.get(run.id)
    if evidence.value is None:
        st.markdown(f"No report: {evidence.problem}")
        if st.button("Look again", key="report-again"):
            sources.evidence.expire()
            st.rerun()
        return
    batch = batch_of([evidence.value], f"{run.title}: {run.verdict}")
    run_parts.downloads(downloads.of_run(evidence.value, batch, f"{run.name}-{run.id}"), key="report")
    for note in evidence.value.notes:
        st.caption(f"Note: {note}")


def _compare(sources: Sources, run: DrillRun) -> None:
    others = {one.id: one for one in sources.runs.get().value or [] if one.verdict is not None and one.id != run.id}
    if not others:
        return
    st.subheader("Compare")

    def named(run_id: str) -> str:
        other = others[run_id]
        return f"{other.title}, {formats.clock(other.queued_at)}: {other.verdict}"

    ordered = sorted(others, key=lambda one: (others[one].name != run.name, -others[one].queued_at))
    chosen = st.selectbox(
        "With", ordered, index=None, format_func=named, key=f"compare-{run.id}", placeholder="another run"
    )
    if chosen is not None:
        run_parts.comparison(run, others[chosen])
