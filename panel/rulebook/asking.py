"""A job on a page: what it would take, the button that starts it, how far it is, and how it can be cancelled.

The part that follows a job refreshes alone; the page is drawn anew once when the job begins or ends, for every viewer.
"""

from __future__ import annotations

import streamlit as st

from panel import formats, roles, widgets
from panel.rulebook.questions import Question
from panel.rulebook.workbench import Job, Workbench
from panel.sources import Sources

FULL = "Too many jobs wait already. Wait for one of them, or cancel one."


def job_of(sources: Sources, question: Question, *, label: str, told: str) -> Job | None:
    """Draw what there is of the job for ``question``; return it once it has an answer.

    ``label`` stands on the button that starts it, ``told`` says beside it what it would take.
    """
    bench = sources.rulebook.workbench
    job = bench.job(question.key)
    state = job.state if job else ""
    if job is None or job.state in {"failed", "cancelled"}:
        if job is not None and job.problem:
            st.error(job.problem, icon=":material/error:")
        elif job is not None:
            st.info("It was cancelled; nothing of it runs any more.", icon=":material/cancel:")
        _start(bench, question, label, told)
    widgets.live(sources, lambda: _follow(bench, question.key, state))
    return job if job is not None and job.state == "done" else None


def _start(bench: Workbench, question: Question, label: str, told: str) -> None:
    button, words = st.columns([1, 3], vertical_alignment="center")
    pressed = button.button(
        label,
        key=f"start-{question.kind}",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        **roles.acting(),
    )
    words.markdown(told)
    if pressed:
        if bench.ask(question) is None:
            st.error(FULL, icon=":material/block:")
        else:
            st.rerun()


def _follow(bench: Workbench, key: str, drawn: str) -> None:
    """Draw how far the job is, and what waits; have the page drawn anew where it has begun or ended meanwhile."""
    job = bench.job(key)
    if (job.state if job else "") != drawn:
        st.rerun()
    if job is not None and not job.over:
        _progress(bench, job)
    others = [one for one in bench.waiting() if one.key != key]
    if others:
        line = "; ".join(f"{one.title} ({_how_far(one)})" for one in others)
        st.caption(f"One job runs at a time. At work and waiting: {line}")


def _progress(bench: Workbench, job: Job) -> None:
    words, button = st.columns([4, 1], vertical_alignment="center")
    progress = job.progress
    if job.state == "queued":
        ahead = [one for one in bench.waiting() if one.asked_at < job.asked_at]
        words.progress(0.0, text=f"Waiting: {formats.count(len(ahead), 'job')} before it")
    else:
        left = "" if progress.left_s is None else f" · about {formats.span(progress.left_s)} left"
        share = progress.done / progress.total if progress.total else 0.0
        words.progress(min(1.0, share), text=f"{progress.doing[:1].upper()}{progress.doing[1:]}{left}")
    button.button(
        "Cancel",
        key=f"cancel-{job.question.kind}",
        icon=":material/stop_circle:",
        width="stretch",
        on_click=bench.cancel,
        args=(job.key,),
        **roles.acting(),
    )


def _how_far(job: Job) -> str:
    progress = job.progress
    if job.state == "queued":
        return "waiting"
    return f"{progress.done} of {progress.total}" if progress.total else progress.doing
