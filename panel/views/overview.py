"""Overview: live signals with the faults as bands, what is burning, the alerts, the health of every component."""

from __future__ import annotations

import time

import streamlit as st

from panel import charts, deps, extinguisher, formats, markup, plots, roles, theme, widgets
from panel.sources import Sources
from panel.timeline import picker
from panel.timeline.range import TimeRange
from panel.views import traces

_ORDER = ("firing", "pending", "unknown", "inactive")


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Overview", icon=":material/dashboard:", url_path="overview", default=True)


def page() -> None:
    """Draw the page."""
    sources = deps.sources()
    widgets.live(sources, lambda: _tiles(sources))
    signals, fire = st.columns([2.15, 1], gap="large")
    with signals:
        chosen, links = st.columns([2.6, 1], vertical_alignment="bottom")
        with chosen:
            over = picker.picked(sources)
        with links:
            _traces(sources, over)
        picker.live(sources, over, lambda: _signals(sources, over))
    with fire:
        widgets.live(sources, lambda: _fire(sources))
    st.subheader("Components")
    widgets.live(sources, lambda: _components(sources))


def _tiles(sources: Sources) -> None:
    board = widgets.value_of(sources.board.get())
    if board is None:
        return
    for tile, series in zip(st.columns(len(board.series), gap="small"), board.series, strict=True):
        value = formats.quantity(series.latest, series.signal.unit)
        tile.metric(series.signal.title, value, help=series.signal.meaning, border=True)
    if board.service_up is None:
        st.warning("Prometheus has not scraped the service yet. See `firedrill status`.")
    elif not board.service_up:
        st.warning(
            "The service does not answer Prometheus's scrapes: no new values until it does. See `firedrill status`."
        )
    elif board.series[0].latest in (None, 0.0):
        st.info("No requests at this moment: shares, latency and confidence have no value without traffic.")


def _signals(sources: Sources, over: TimeRange) -> None:
    board, story, dots = sources.boards.get(over).value, sources.story.get(over).value, sources.dots.get(over).value
    if board is None:
        return
    drawing = sources.drawings.get(
        ("signals", over),
        (board, story, dots),
        lambda: charts.signal_chart(board, story, dots or (), revision=f"signals {over}"),
    )
    words = "Request rate, error share, latency, confidence and drift share over time"
    plots.draw(drawing, key="signals", alt=words, title="Signals of the service", ranged=True)


def _traces(sources: Sources, over: TimeRange) -> None:
    """List the traces that the chart's points lead to: the way for the keyboard. It holds still until asked anew."""
    with st.popover("Traces of this chart", icon=":material/account_tree:", width="stretch"):
        dots = sources.dots.get(over).value or ()
        if not dots:
            st.markdown("No single request of this time is known by its trace.")
        for dot in sorted(dots, key=lambda one: -one.value):
            words = f"{formats.clock(dot.at)} · {formats.span(dot.value)} · {dot.trace_id[:8]}"
            st.page_link(traces.entry(), label=words, query_params={"trace": dot.trace_id})


def _fire(sources: Sources) -> None:
    extinguisher.draw(sources)
    st.subheader("Active faults")
    records = widgets.value_of(sources.faults.get())
    if records is not None:
        widgets.active_faults(sources, records, where="overview")
    st.subheader("Alerts")
    alerts = sources.alerts.get()
    if alerts.value is None:
        st.markdown(f"Not known: {alerts.problem}")
        return
    for alert in sorted(alerts.value, key=lambda a: (_ORDER.index(a.state), a.alert)):
        if alert.state != "inactive":
            due = f" · due in {formats.countdown(alert.due_at - time.time())}" if alert.due_at else ""
            st.markdown(f"{widgets.alert_badge(alert)} **{alert.alert}**{due}  \n{alert.waits_for}")
    quiet = sum(alert.state == "inactive" for alert in alerts.value)
    look = theme.look(theme.ALERT_LOOKS, "inactive")
    st.markdown(f":{look.badge}-badge[{look.symbol} inactive] {quiet} of {formats.count(len(alerts.value), 'alert')}")


def _components(sources: Sources) -> None:
    status = widgets.value_of(sources.status.get())
    if status is None:
        return
    if status.state == "down":
        st.error("The stack is down. Start it with `firedrill up`.", icon=":material/power_off:")
    reason = roles.link_reason()
    st.markdown(markup.component_cards(status.components, linked=reason is None), unsafe_allow_html=True)
    if reason:
        st.caption("Their own pages are not linked: such a link opens only on the machine that runs the stack.")
