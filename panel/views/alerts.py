"""Alerts: every rule's state, its life so far, when it is due and what it waits for; what was delivered."""

from __future__ import annotations

import time

import streamlit as st

from faults.drills.wire import AlertStatus
from panel import deps, formats, lives, markup, plots, widgets
from panel.sources import Sources
from panel.timeline import picker
from panel.timeline.range import TimeRange
from panel.views import alert as one_alert

_ORDER = ("firing", "pending", "unknown", "inactive")


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Alerts", icon=":material/notifications_active:", url_path="alerts")


def page() -> None:
    """Draw all rules, or the one alert that the address names."""
    sources = deps.sources()
    name = st.query_params.get("alert")
    if name:
        st.query_params["alert"] = name  # a link within the page does not change the address by itself
        st.page_link(entry(), label="All alerts", icon=":material/arrow_back:")
        one_alert.draw(sources, name)
        return
    st.query_params.update({})  # takes an alert that was just left out of the address
    over = picker.picked(sources)
    picker.live(sources, over, lambda: _timeline(sources, over))
    widgets.live(sources, lambda: _rules(sources))
    st.subheader("Delivered notifications")
    widgets.live(sources, lambda: _notifications(sources))


def _timeline(sources: Sources, over: TimeRange) -> None:
    alerts = widgets.value_of(sources.alerts.get())
    if alerts is None:
        return
    states = {state: sum(a.state == state for a in alerts) for state in _ORDER}
    st.subheader(
        ", ".join(f"{number} {state}" for state, number in states.items() if number) or "No alert rules are loaded"
    )
    story = sources.story.get(over).value
    grid = over.grid(sources.pace, time.time())
    start, end = (story.start, story.end) if story is not None else (grid.start, grid.end)
    shown = lives.alert_lives(alerts, story, start, end)
    if not shown:
        st.markdown(f"No alert was pending or firing in the {formats.span(end - start)} shown.")
        return
    bands = story.bands if story is not None else ()
    drawing = sources.drawings.get(
        ("alert-lives", over),
        (shown, bands, start, end),
        lambda: lives.stage_chart(shown, bands, start, end, revision=f"stages {over}"),
    )
    words = ", ".join(sorted({life.alert for life in shown}))
    plots.draw(
        drawing, key="alert-lives", alt=f"Timeline of the alerts {words}", title="Stages of the alerts", ranged=True
    )


def _rules(sources: Sources) -> None:
    alerts, me = sources.alerts.get().value or [], entry()
    for alert in sorted(alerts, key=lambda a: (_ORDER.index(a.state), a.alert)):
        with st.container(border=True, key=f"alert-{alert.alert}-{alert.group}"):
            words, stages, more = st.columns([1, 1.5, 0.6], gap="medium")
            side = more.container(horizontal=True, vertical_alignment="center")
            words.markdown(f"{widgets.alert_badge(alert)} **{alert.alert}** · {alert.severity}  \n{alert.waits_for}")
            if alert.due_at is not None:
                due = formats.countdown(alert.due_at - time.time())
                words.markdown(f"Due to fire at **{formats.clock(alert.due_at)}**, in {due}.")
            began = alert.stages.condition_true or alert.stages.pending or alert.stages.firing
            if began is None:
                stages.caption("Its condition has not been true yet.")
            else:
                stages.markdown(markup.stage_track(alert.stages, began), unsafe_allow_html=True)
                stages.caption(f"Since {formats.clock(began)}, when its condition became true.")
            side.page_link(me, label="Why?", icon=":material/help:", query_params={"alert": alert.alert})
            with side.popover("Rule", key=f"rule-{alert.alert}-{alert.group}"):
                _rule(alert)


def _rule(alert: AlertStatus) -> None:
    st.markdown(alert.summary)
    st.code(alert.expr, language="promql", wrap_lines=True)
    value = "no value now" if alert.value is None else f"value now {alert.value:.4g}"
    held = f"must hold for {formats.span(alert.for_s)}" if alert.for_s else "fires at once"
    st.markdown(f"Group `{alert.group}` · {held} · {value} · runbook: `{alert.runbook}`")


def _notifications(sources: Sources) -> None:
    notifications = widgets.value_of(sources.notifications.get())
    if notifications is None:
        return
    if not notifications:
        st.markdown("Alertmanager has delivered nothing yet.")
        return
    rows = [
        (
            markup.text(formats.clock(each.at)),
            "▲ firing" if each.status == "firing" else "✓ resolved",
            f"<b>{markup.text(each.alert)}</b>",
            markup.text(each.annotations.get("summary", "")),
            markup.text(formats.clock(each.starts_at)),
            markup.text(each.receiver),
        )
        for each in notifications[:30]
    ]
    head = ("Delivered", "Status", "Alert", "Summary", "Fired at", "Receiver")
    st.markdown(markup.table(head, rows), unsafe_allow_html=True)
