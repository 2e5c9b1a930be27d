"""The few Streamlit parts that several pages share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import streamlit as st
from pydantic import JsonValue

from faults.base import FaultRecord
from faults.drills.wire import AlertStatus
from faults.errors import FaultError
from panel import formats, lives, markup, plots, roles, theme
from panel.forms import FormField
from panel.proof import Proof
from panel.queries import Band
from panel.readings import Reading
from panel.sources import ACTOR, Sources
from panel.spans import FAULT_EVENT, TraceSummary, faults_of
from stack.clients.jaeger import Span, TraceLog
from stack.errors import StackError

T = TypeVar("T")
REMEDY = "Start it with `firedrill up`, or see `firedrill status`."


def live(sources: Sources, part: Callable[[], None], *, times: int = 1) -> None:
    """Draw ``part`` now and again at every refresh (every ``times``-th), without drawing the rest of the page anew."""
    st.fragment(run_every=sources.refresh_s * times)(part)()


def value_of(reading: Reading[T]) -> T | None:
    """Return what a source said last. Where that is old or missing, say so on the page, and what to do."""
    if reading.problem is None:
        return reading.value
    reason = reading.problem[:1].upper() + reading.problem[1:]
    advice = f"{reason}." if "`firedrill" in reason else f"{reason}. {REMEDY}"
    if reading.value is None:
        st.error(advice, icon=":material/cloud_off:")
    else:
        age = formats.span(time.time() - (reading.taken_at or 0.0))
        st.warning(f"Stale: this is what {reading.source} said {age} ago. {advice}", icon=":material/history:")
    return reading.value


def act(sources: Sources, action: Callable[[], T]) -> T | None:
    """Carry out a command; where it is refused or cannot be delivered say why and return ``None``."""
    try:
        return action()
    except (FaultError, StackError) as problem:
        st.error(str(problem), icon=":material/block:")
        return None
    finally:
        sources.expire()


def confirmed(label: str, what: str, yes: str, *, key: str, icon: str | None = None) -> bool:
    """Draw a button that says ``what`` exactly will happen and asks; return whether ``yes`` was pressed.

    For what cannot be taken back. It is disabled, with the reason, for those who may not act.
    """
    refused = roles.reason()
    with st.popover(label, icon=icon, disabled=refused is not None, help=refused, key=key):
        st.markdown(what)
        return st.button(yes, type="primary", key=f"{key}-yes")


def strip(sources: Sources) -> None:
    """Draw the line that every page begins with: the stack, how fresh each source is, the faults that are active.

    A screen reader says what has changed in it, and does not count down with it.
    """
    status = sources.status.get()
    state = status.value.state if status.value else "down"
    parts = [f"<b>Stack</b> {markup.chip(theme.look(theme.STACK_LOOKS, state))}"]
    if sources.pace.factor == 1.0:
        parts.append(f"<span>{markup.text(sources.pace.name)} pace</span>")
    else:
        parts.append(f"<span>{markup.text(sources.pace.name)} pace: {sources.pace.factor:g} times faster</span>")
    readings = sources.readings()
    parts += [
        f"<span>{markup.text(reading.source.removeprefix('the ').capitalize())} "
        f"{markup.chip(theme.look(theme.SOURCE_LOOKS, reading.state))}</span>"
        for reading in readings
    ]
    faults = sources.faults.get().value
    active = [record for record in faults or () if record.state == "active"]
    if faults is not None:
        words = ", ".join(f"{record.kind} {formats.countdown(record.ends_at - time.time())}" for record in active)
        parts.append(f"<b>Active: {markup.text(words)}</b>" if active else "<span>no fault active</span>")
    kinds = ", ".join(sorted(record.kind for record in active))
    aloud = [f"Stack {state}", f"active faults: {kinds}" if kinds else "no fault active"]
    aloud += [f"{reading.source} {reading.state}" for reading in readings if reading.problem]
    st.markdown(
        f'<div class="fd-strip" role="group" aria-label="State of the stack">{"".join(parts)}</div>'
        f'<div class="fd-aloud" role="status">{markup.text("; ".join(aloud))}.</div>',
        unsafe_allow_html=True,
    )


def active_faults(sources: Sources, records: Iterable[FaultRecord], *, where: str) -> None:
    """Draw every active fault with its countdown, its hits and a button that puts it out."""
    active = [record for record in records if record.state == "active"]
    if refused := st.session_state.pop("refused", None):
        st.error(refused, icon=":material/block:")
    if not active:
        st.markdown("No fault is active.")
    for record in active:
        left = max(0.0, record.ends_at - time.time())
        with st.container(border=True, key=f"{where}-{record.id}"):
            words, button = st.columns([3, 1.3], vertical_alignment="center")
            words.markdown(
                f"{theme.FIRE} **{record.kind}** on {record.target.model or 'every model'} · "
                f"**{formats.countdown(left)}** left · {formats.count(record.injections, 'hit')}"
                + markup.countdown_bar(left, record.ttl_s, theme.band_color(record.kind)),
                unsafe_allow_html=True,
            )
            key, args = f"{where}-out-{record.id}", (sources, record.id)
            button.button(
                "Put out",
                key=key,
                on_click=_put_out,
                args=args,
                width="stretch",
                disabled=not roles.may_act(),
                help=roles.reason(),
            )
            if record.error:
                st.warning(record.error)


def _put_out(sources: Sources, fault_id: str) -> None:
    """Put one fault out before the list is drawn again; a refusal is shown above the list."""
    try:
        sources.conductor.put_out(fault_id, actor=ACTOR)
    except FaultError as problem:
        st.session_state["refused"] = str(problem)
    sources.expire()


def alert_badge(alert: AlertStatus) -> str:
    """Return an alert's state as a Markdown badge."""
    look = theme.look(theme.ALERT_LOOKS, alert.state)
    return f":{look.badge}-badge[{look.symbol} {look.word}]"


def trace_result(about: TraceSummary) -> str:
    """Return how a trace ended, and which faults hit it, as Markdown."""
    burning = f" {theme.FIRE} {', '.join(about.faults)}" if about.faults else ""
    return (":red-badge[✗ error]" if about.error else ":green-badge[✓ ok]") + burning


def proof_line(proof: Proof) -> None:
    """Draw the answer to "is it really active?"."""
    icon = {"yes": ":material/check_circle:", "unknown": ":material/help:"}.get(
        proof.answer, ":material/hourglass_top:"
    )
    (st.success if proof.answer == "yes" else st.info)(proof.sentence, icon=icon)


def lives_chart(shown: Sequence[lives.AlertLife], bands: Sequence[Band], start: float, end: float, *, key: str) -> None:
    """Draw alerts' stages over time."""
    words = ", ".join(life.alert for life in shown)
    plots.draw(lives.stage_chart(shown, bands, start, end), key=key, alt=f"Timeline of the alerts {words}")


def span_details(number: int, span: Span, began: float, logs: Sequence[TraceLog] = ()) -> None:
    """Draw a span's attributes, events and log records, opened where a fault hit; ``began`` is the trace's start."""
    kinds = faults_of(span)
    mark = (" · ✗ error" if span.error else "") + (f" · {theme.FIRE} {', '.join(kinds)}" if kinds else "")
    with st.expander(f"{number}. {span.operation} · {formats.span(span.duration_s)}{mark}", expanded=bool(kinds)):
        rows = [(markup.text(name), markup.text(value)) for name, value in sorted(span.tags.items())]
        st.markdown(markup.table(("Attribute", "Value"), rows), unsafe_allow_html=True)
        for event in span.events:
            color = theme.ORANGE if event.name == FAULT_EVENT else theme.GREY
            facts = ", ".join(f"{name} = {value}" for name, value in event.attributes.items())
            line = f"<b>{markup.text(event.name)}</b> at {formats.span(event.time - began)}: {markup.text(facts)}"
            st.markdown(f'<span style="color:{color}">◆</span> {line}', unsafe_allow_html=True)
        log_records(logs, began)


def log_records(logs: Sequence[TraceLog], began: float) -> None:
    """Draw log records as a table, nothing where there are none; ``began`` is the trace's start."""
    if logs:
        rows = [
            (
                markup.text(formats.span(max(0.0, log.time - began))),
                markup.text(log.severity),
                markup.text(log.body),
                markup.text(", ".join(f"{name} = {value}" for name, value in log.attributes.items())),
            )
            for log in logs
        ]
        st.markdown(markup.table(("After", "Severity", "Log record", "Attributes"), rows), unsafe_allow_html=True)


def field_input(field: FormField, key: str) -> JsonValue:
    """Draw the input of one form field and return what is entered."""
    if field.kind == "choice":
        at = field.choices.index(str(field.default)) if str(field.default) in field.choices else None
        return st.selectbox(field.title, field.choices, index=at, help=field.help or None, key=key)
    if field.kind == "flag":
        return st.toggle(field.title, value=bool(field.default), help=field.help or None, key=key)
    if field.kind == "integer":
        return _integer_input(field, key)
    if field.kind == "number":
        return _number_input(field, key)
    if isinstance(field.default, list):
        return st.text_input(field.title, ", ".join(map(str, field.default)), help=field.help or None, key=key)
    return st.text_input(field.title, str(field.default or ""), help=field.help or None, key=key)


def _integer_input(field: FormField, key: str) -> int | None:
    low, high, value = (
        int(number) if isinstance(number, int | float) else None
        for number in (field.minimum, field.maximum, field.default)
    )
    entered = st.number_input(field.title, low, high, value, 1, format="%d", key=key, help=field.help or None)
    return None if entered is None else int(entered)


def _number_input(field: FormField, key: str) -> float | None:
    value = float(field.default) if isinstance(field.default, int | float) else None
    low, high = field.minimum, field.maximum
    step = _step(value, high)
    return st.number_input(field.title, low, high, value, step, format="%g", key=key, help=field.help or None)


def _step(value: float | None, high: float | None) -> float:
    """Return a step that suits the size of the number: ten milliseconds, one second, a tenth of a share."""
    size = abs(value) if value else (high or 1.0)
    return next(step for least, step in ((100.0, 10.0), (5.0, 1.0), (0.2, 0.1), (0.0, 0.01)) if size >= least)
