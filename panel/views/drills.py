"""Drills: the library, one or all of them to run, and the runs so far."""

from __future__ import annotations

import time

import streamlit as st

from faults.drills.wire import DrillInfo, DrillStart
from panel import deps, downloads, formats, roles, rounds, run_parts, theme, widgets
from panel.sources import ACTOR, Sources
from panel.views import run

_BELL = ":material/notifications_active:"
_WIDTHS = [1, 2.4, 1.2, 1.2, 3.2]
_ANY = "any kind"


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
        run.draw(sources, run_id)
        return
    st.query_params.update({})  # takes a run that was just left out of the address
    widgets.live(sources, lambda: _round(sources))
    library, runs = st.tabs(["Library", "Runs"])
    with library:
        drills = widgets.value_of(sources.drills.get())
        if drills:
            _library(sources, drills)
    with runs:
        widgets.live(sources, lambda: _runs(sources))


def _library(sources: Sources, drills: list[DrillInfo]) -> None:
    kinds = {kind.kind: kind for kind in sources.kinds.get().value or []}
    which, seeded, everything = st.columns([2, 1, 1.4], vertical_alignment="bottom")
    wanted = which.selectbox("Kind of fault", [_ANY, *sorted({name for drill in drills for name in drill.kinds})])
    entered = seeded.number_input(
        "Seed", 0, value=None, step=1, placeholder="drawn", key="seed", help="Every random choice of a run follows."
    )
    seed = None if entered is None else int(entered)
    shown = [drill for drill in drills if wanted in (_ANY, *drill.kinds)]
    whole = formats.span(sum(drill.estimate_s for drill in shown if not rounds.unavailable(drill, kinds)))
    words, says = f"Run all {len(shown)}, about {whole}", roles.acting()
    if everything.button(words, key="run-all", icon=":material/playlist_play:", width="stretch", **says):
        begun = widgets.act(sources, lambda: sources.rounds.start(shown, kinds, seed))
        if begun is False:
            st.error("A round is under way already.", icon=":material/block:")
    for row in range(0, len(shown), 2):
        for column, drill in zip(st.columns(2), shown[row : row + 2], strict=False):
            with column:
                _drill(sources, drill, rounds.unavailable(drill, kinds), seed)


def _drill(sources: Sources, drill: DrillInfo, missing: str, seed: int | None) -> None:
    with st.container(border=True, height="stretch"):
        words, button = st.columns([3, 1.2], vertical_alignment="center")
        words.markdown(f"**{drill.title}**  \n`{drill.name}` · about {formats.span(drill.estimate_s)}")
        says, key = roles.acting(disabled=bool(missing)), f"run-{drill.name}"
        pressed = button.button("Run", key=key, icon=":material/play_arrow:", width="stretch", **says)
        rings = ", ".join(drill.alerts) or "nothing may ring"
        st.markdown(f"{drill.description}  \n{theme.FIRE} {', '.join(drill.kinds)} → {_BELL} {rings}")
        if missing:
            st.markdown(f":gray[:material/block: Not here: {missing}]")
        if pressed:
            start = DrillStart(name=drill.name, seed=seed)
            begun = widgets.act(sources, lambda: sources.conductor.start_drill(start, actor=ACTOR))
            if begun is not None:
                st.switch_page(entry(), query_params={"run": begun.id})


def _round(sources: Sources) -> None:
    progress = sources.rounds.progress
    if progress is None:
        return
    st.subheader("Round")
    done = len(progress.batch.cases)
    if not progress.over:
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.progress(done / max(1, progress.total), text=f"{done} of {progress.total} · now: {progress.current}")
        says = roles.acting(about="Aborts the drill under way; those after it are not started.")
        if button.button("Stop", key="stop-round", icon=":material/stop_circle:", width="stretch", **says):
            widgets.act(sources, sources.rounds.stop)
    run_parts.summary(progress.batch)
    if progress.over:
        run_parts.downloads(downloads.of_batch(progress.batch, "all-drills"), key="round")


def _runs(sources: Sources) -> None:
    found = widgets.value_of(sources.runs.get())
    if not found:
        st.markdown("No drill has run yet." if found is not None else "")
        return
    me = entry()
    for each in found:
        at, link, verdict, took, reason = st.columns(_WIDTHS, vertical_alignment="center")
        look = theme.look(theme.VERDICT_LOOKS, each.verdict or "running")
        at.markdown(formats.clock(each.queued_at))
        link.page_link(me, label=each.title, query_params={"run": each.id})
        verdict.markdown(f":{look.badge}-badge[{look.symbol} {look.word}]")
        took.markdown(formats.span((each.ended_at or time.time()) - each.queued_at))
        reason.markdown(each.reason or each.progress)
