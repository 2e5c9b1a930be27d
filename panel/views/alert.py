"""One alert: why it has not fired, how near its condition is, its life, and its life in the last drill."""

from __future__ import annotations

import time

import streamlit as st

from faults.drills.reasons import Trend, Why
from faults.drills.wire import AlertStatus
from panel import formats, lives, markup, plots, run_parts, theme, widgets
from panel.sources import Sources
from panel.timeline.range import usual

_GOOD = frozenset({"delivered", "resolved"})
_CALM = frozenset({"not true", "true", "pending", "waiting for its group"})


def draw(sources: Sources, name: str) -> None:
    """Draw everything that there is to say of the alert ``name``."""
    st.subheader(name)
    widgets.live(sources, lambda: _why(sources, name))
    widgets.live(sources, lambda: _life(sources, name))


def _why(sources: Sources, name: str) -> None:
    why = widgets.value_of(sources.why.get(name))
    if why is None:
        return
    st.markdown("**Why has it not fired?**" if why.reason not in _GOOD else "**It has rung.**")
    box = st.success if why.reason in _GOOD else st.info if why.reason in _CALM else st.warning
    sentence = why.sentence[:1].upper() + why.sentence[1:]
    box(f"**{why.reason.capitalize()}.** {sentence}", icon=":material/help:")
    for detail in why.details:
        st.markdown(f"- {detail}")
    if why.due_at is not None:
        left = formats.countdown(why.due_at - time.time())
        st.markdown(f"Due to fire at **{formats.clock(why.due_at)}**, in {left}.")
    for number, trend in enumerate(why.trends):
        _trend(sources, why, trend, key=f"trend-{number}")
    _selectors(why)
    if why.similar:
        st.markdown(f"Alerts with names like it: {', '.join(why.similar)}")


def _trend(sources: Sources, why: Why, trend: Trend, *, key: str) -> None:
    value = formats.NOTHING if trend.value is None else f"{trend.value:.4g}"
    words = f"Value now **{value}**, must be {trend.operator} {trend.threshold:g}"
    if trend.holds:
        words += " · it holds"
    elif trend.crosses_in_s is not None:
        words += f" · at this rate it would hold in {formats.span(trend.crosses_in_s)}"
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(trend.labels.items()))
    st.markdown(words + (f"  \n:gray[nearest series: {labels}]" if labels else ""))
    if trend.points:
        story = sources.story.get(usual(sources.pace)).value
        drawing = sources.drawings.get(
            ("trend", why.alert, key), (tuple(trend.points), story), lambda: lives.trend_chart(trend, why.at, story)
        )
        plots.draw(drawing, key=key, alt=f"The value of {why.alert} against its threshold")
    with st.expander("What is compared"):
        st.code(trend.expression, language="promql", wrap_lines=True)


def _selectors(why: Why) -> None:
    if why.selectors:
        rows = [
            (
                f"<code>{markup.text(each.selector)}</code>",
                str(each.series),
                markup.text(each.finding),
            )
            for each in why.selectors
        ]
        head = ("What it selects", "Series now", "Finding")
        st.markdown(markup.table(head, rows, numeric=frozenset({1})), unsafe_allow_html=True)


def _life(sources: Sources, name: str) -> None:
    alerts = sources.alerts.get().value or []
    for alert in alerts:
        if alert.alert == name:
            _stages(alert)
    for run in sources.runs.get().value or []:
        for one in run.outcomes:
            if one.alert == name:
                look = theme.look(theme.VERDICT_LOOKS, run.verdict or "running")
                st.markdown(f"**In its last drill**: {run.title}, {look.symbol} {look.word}, {run.pace} pace")
                run_parts.outcome(run, one)
                return
    st.caption("No drill of late had anything to do with it, so there is no life to measure against a prediction.")


def _stages(alert: AlertStatus) -> None:
    began = alert.stages.condition_true or alert.stages.pending or alert.stages.firing
    st.markdown(f"**Its last life** · {widgets.alert_badge(alert)} · {alert.waits_for}")
    if began is None:
        st.caption("Its condition has not been true yet.")
        return
    st.markdown(markup.stage_track(alert.stages, began), unsafe_allow_html=True)
    st.caption(f"Since {formats.clock(began)}, when its condition became true.")
