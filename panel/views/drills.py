"""Drills: run one, watch it, read its verdict."""

from __future__ import annotations

import time
from typing import get_args

import streamlit as st

from faults.drills.wire import DrillInfo, DrillRun, DrillStart, Phase
from panel import charts, deps, formats, queries, theme, widgets
from panel.sources import ACTOR, Sources

_PHASES: tuple[Phase, ...] = get_args(Phase)
_BELL = ":material/notifications_active:"
_WIDTHS = [1, 2.4, 1.2, 1.2, 3.2]


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Drills", icon=":material/sprint:", url_path="drills")


def page() -> None:
    """Draw the library and the runs, or the one run that the address names."""
    sources = deps.sources()
    run_id = st.query_params.get("run")
    if run_id:
        st.query_params["run"] = run_id  # a link within the page does not change the address by itself
        st.page_link(entry(), label="All drills", icon=":material/arrow_back:")
        widgets.live(sources, lambda: _run(sources, run_id))
        return
    st.query_params.clear()  # takes a run that was just left out of the address
    st.subheader("Library")
    drills = widgets.value_of(sources.drills.get())
    for row in range(0, len(drills or []), 2):
        for column, drill in zip(st.columns(2), (drills or [])[row : row + 2], strict=False):
            with column:
                _drill(sources, drill)
    st.subheader("Runs")
    widgets.live(sources, lambda: _runs(sources))


def _drill(sources: Sources, drill: DrillInfo) -> None:
    with st.container(border=True, height="stretch"):
        words, button = st.columns([3, 1.2], vertical_alignment="center")
        words.markdown(f"**{drill.title}**  \n`{drill.name}` · about {formats.span(drill.estimate_s)}")
        pressed = button.button("Run", key=f"run-{drill.name}", icon=":material/play_arrow:", width="stretch")
        st.markdown(f"{drill.description}  \n{theme.FIRE} {', '.join(drill.kinds)} → {_BELL} {', '.join(drill.alerts)}")
        if pressed:
            run = widgets.act(sources, lambda: sources.conductor.start_drill(DrillStart(name=drill.name), actor=ACTOR))
            if run is not None:
                st.switch_page(entry(), query_params={"run": run.id})


def _runs(sources: Sources) -> None:
    runs = widgets.value_of(sources.runs.get())
    if not runs:
        st.markdown("No drill has run yet." if runs is not None else "")
        return
    me = entry()
    for run in runs:
        at, link, verdict, took, reason = st.columns(_WIDTHS, vertical_alignment="center")
        look = theme.look(theme.VERDICT_LOOKS, run.verdict or "running")
        at.markdown(formats.clock(run.queued_at))
        link.page_link(me, label=run.title, query_params={"run": run.id})
        verdict.markdown(f":{look.badge}-badge[{look.symbol} {look.word}]")
        took.markdown(formats.span((run.ended_at or time.time()) - run.queued_at))
        reason.markdown(run.reason or run.progress)


def _run(sources: Sources, run_id: str) -> None:
    run = widgets.value_of(sources.run.get(run_id))
    if run is None:
        return
    now = run.ended_at or time.time()
    title, button = st.columns([4, 1], vertical_alignment="center")
    title.subheader(run.title)
    if run.verdict is None and button.button("Abort", icon=":material/stop_circle:", width="stretch", key="abort"):
        widgets.act(sources, lambda: sources.conductor.abort(run_id, actor=ACTOR))
    _verdict(run)
    done = len(_PHASES) - 1 if run.verdict else _PHASES.index(run.phase)
    phase = " → ".join(f"**{p.replace('_', ' ')}**" if p == run.phase else p.replace("_", " ") for p in _PHASES)
    st.progress(done / (len(_PHASES) - 1), text=phase)
    times = (("lit", run.fault_at), ("put out", run.rollback_at), ("ended", run.ended_at))
    facts = " · ".join(f"{word} {formats.clock(at)}" for word, at in times if at is not None)
    st.markdown(
        f"`{run.name}` at {run.pace} pace · started {formats.clock(run.queued_at)}" + (f" · {facts}" if facts else "")
    )
    if run.outcomes:
        widgets.outcome_table(run.outcomes, run.fault_at)
        _timeline(sources, run, now)


def _verdict(run: DrillRun) -> None:
    reason = run.reason[:1].upper() + run.reason[1:]
    if run.verdict is None:
        st.info(run.progress or "It runs.", icon=":material/sprint:")
    elif run.verdict == "passed":
        st.success(f"**Passed.** {reason}", icon=":material/verified:")
    elif run.verdict == "failed":
        st.error(f"**Failed.** {reason}", icon=":material/cancel:")
    else:
        st.warning(f"**{run.verdict.capitalize()}.** {reason}", icon=":material/report:")


def _timeline(sources: Sources, run: DrillRun, now: float) -> None:
    lives = [
        charts.AlertLife(each.alert, each.stages, now if run.verdict is None or each.stages.firing else None)
        for each in run.outcomes
    ]
    start = run.queued_at if run.fault_at is None else run.fault_at - (now - run.fault_at) * 0.08
    bands = () if run.fault_at is None else (queries.Band(_kinds(sources, run), run.fault_at, run.rollback_at or now),)
    widgets.lives_chart(lives, bands, start, now, key="run-lives")


def _kinds(sources: Sources, run: DrillRun) -> str:
    """Return what burned, in words: the drill's kinds of fault where the library knows the drill."""
    known = {drill.name: drill for drill in sources.drills.get().value or []}
    return " + ".join(known[run.name].kinds) if run.name in known else "fault"
