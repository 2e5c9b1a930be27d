"""What came of an attempt: the answer, what the counters did, and of one request its trace and its log records."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import streamlit as st

from panel import formats, markup, roles, theme, trace_parts, widgets
from panel.sources import Sources
from panel.tryout.attempts import Attempt
from panel.tryout.counters import Move
from panel.tryout.feeds import Arrival, Traced
from panel.tryout.summary import Summary, summed_up
from stack.clients.service import Answer

PATIENCE_S = 20.0
"""For so long the trace of a request is waited for: the service sends spans every second."""
_ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "invalid_input": "The input does not fit; the message names the field.",
        "unknown_model": "The service does not serve this model.",
        "model_not_loaded": "No model is loaded behind this name: the alert ModelNotLoaded is for that.",
        "queue_full": "More requests wait than the queue takes: the alert QueueSaturated is for that.",
        "timeout": "The service gave up on its own after its time limit.",
        "payload_too_large": "The upload is larger than the service takes.",
        "prediction_failed": "The model, or a fault in it, failed in the middle of the prediction.",
        "internal": "The service failed in a way that it did not foresee; its log says more.",
        "": "This is not an answer of the service's own: a fault, or something in front of it, gave it.",
    }
)


def draw(sources: Sources, attempt: Attempt) -> None:
    """Draw ``attempt``; while it is under way, refresh."""
    st.subheader("Result")
    if not attempt.over:
        widgets.live(sources, lambda: _progress(sources, attempt.id))
        return
    if attempt.stopped:
        st.info(f"Stopped after {len(attempt.answers)} of {attempt.wish.count} requests.")
    if attempt.problem:
        reason = attempt.problem[:1].upper() + attempt.problem[1:]
        st.error(f"No answer. {reason}.", icon=":material/cloud_off:")
    if not attempt.answers:
        return
    about = summed_up(attempt.answers)
    if attempt.wish.count > 1:
        _many(about, attempt.answers)
        st.markdown("**The slowest of them**")
    _answer(about.slowest)
    _drift(attempt)
    _counters(attempt)
    _traced(sources, attempt, about.slowest)  # last, since it comes later and is long


def _progress(sources: Sources, attempt_id: str) -> None:
    attempt = sources.tryout.attempts.get(attempt_id)
    if attempt is None or attempt.over:
        st.rerun()
    done, count = len(attempt.answers), attempt.wish.count
    st.progress(done / count, f"{done} of {formats.count(count, 'answer')} after {_since(attempt.at)}")
    if count > 1 and st.button("Stop", key="stop", disabled=not roles.may_act(), help=roles.reason()):
        sources.tryout.attempts.stop(attempt_id)


def _since(at: float) -> str:
    return formats.span(time.time() - at)


def _answer(answer: Answer) -> None:
    """Draw one answer: what was predicted, or why nothing was."""
    look = theme.Look("✓", "ok", theme.GREEN, "green") if answer.prediction else theme.Look("✗", "", "", "red")
    status, took = f"{look.symbol} {answer.status}", formats.span(answer.duration_s)
    said = answer.prediction
    if said is not None:
        value = said.label or f"{said.value:.6g}"
        st.markdown(f'<div class="fd-said">{markup.text(value)}</div>', unsafe_allow_html=True)
        if said.confidence is not None:
            bar = markup.countdown_bar(said.confidence, 1.0, theme.BLUE)
            words = formats.quantity(said.confidence, "ratio")
            st.markdown(f"Confidence **{words}**{bar}", unsafe_allow_html=True)
    ids = f"request `{answer.request_id}`" if answer.request_id else "no request id"
    st.markdown(f":{look.badge}-badge[{status}] · {took} as measured here · {formats.clock(answer.at)} · {ids}")
    if answer.refusal is not None:
        refusal = answer.refusal
        later = f" It asks to wait {formats.span(refusal.retry_after_s)}." if refusal.retry_after_s else ""
        kind = f"**{refusal.type}**: " if refusal.type else ""
        st.error(f"{kind}{_plain(refusal.message)}{later}", icon=":material/block:")
        st.caption(_ADVICE.get(refusal.type, "See the service's documentation for this error."))


def _plain(text: str) -> str:
    """Return text that Streamlit's Markdown shows letter by letter."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+-.!|~$:" else char for char in text)


def _many(about: Summary, answers: Sequence[Answer]) -> None:
    """Draw how often each outcome came, and the latencies."""
    rows = [(markup.text(words), str(number)) for words, number in about.outcomes]
    st.markdown(markup.table(("Outcome", "Times"), rows, numeric=frozenset({1})), unsafe_allow_html=True)
    st.caption(
        f"{formats.count(len(answers), 'answer')}, one after the other: fastest {formats.span(about.fastest_s)}, "
        f"median {formats.span(about.median_s)}, slowest {formats.span(about.slowest.duration_s)}."
    )


def _drift(attempt: Attempt) -> None:
    outside = attempt.wish.outside
    if outside:
        names = ", ".join(each.name for each in outside[:4]) + (" and more" if len(outside) > 4 else "")
        st.markdown(f"Sent out of distribution in {formats.count(len(outside), 'value')}: {_plain(names)}.")


def _traced(sources: Sources, attempt: Attempt, answer: Answer) -> None:
    """Draw the request's trace and log records; until they are there, wait for them."""
    st.subheader("Its trace and its log records")
    if not answer.trace_id:
        st.info("The answer carries no X-Trace-ID: the service, or what answered in its place, records no traces.")
        return
    wanted = Traced(answer.trace_id, answer.at)
    arrival = sources.tryout.arrivals.get(wanted).value
    if arrival is not None and arrival.whole:
        _arrived(arrival, attempt)
    else:
        until = answer.at + answer.duration_s + PATIENCE_S
        widgets.live(sources, lambda: _waiting(sources, wanted, until, attempt))


def _waiting(sources: Sources, wanted: Traced, until: float, attempt: Attempt) -> None:
    arrival = widgets.value_of(sources.tryout.arrivals.get(wanted))
    if arrival is not None and arrival.whole:
        st.rerun()
    left = until - time.time()
    if left > 0:
        st.info(
            f"On their way: spans and log records leave the service every second. Waiting {formats.countdown(left)}."
        )
    else:
        burning = [record.kind for record in sources.faults.get().value or [] if record.state == "active"]
        why = " The fault **trace_loss** is active." if "trace_loss" in burning else ""
        missing = "No span" if arrival is None or arrival.trace is None else "Not everything"
        st.warning(
            f"{missing} of this request has arrived within {PATIENCE_S:g} s: spans are lost, or not recorded.{why}",
            icon=":material/leak_remove:",
        )
    if arrival is not None:
        _arrived(arrival, attempt)


def _arrived(arrival: Arrival, attempt: Attempt) -> None:
    if arrival.trace is None:
        if arrival.logs:
            widgets.log_records(arrival.logs, arrival.logs[0].time)
        return
    flagged = next((s.tags["drift.flagged"] for s in arrival.trace.spans if "drift.flagged" in s.tags), None)
    if flagged == "true":
        st.markdown(":orange-badge[▲ drift flagged] The service flagged this request as out of distribution.")
    elif flagged == "false":
        st.markdown(":green-badge[✓ no drift] The service's drift rule let this request pass.")
    else:
        st.markdown(":gray-badge[? drift not checked] The request ended before the service's drift check.")
    trace_parts.draw(arrival.trace, arrival.logs, key=f"attempt-{attempt.id}")


def _counters(attempt: Attempt) -> None:
    """Draw the service's own counters before and after, and what of their movement is this attempt's."""
    st.subheader("What its metrics did")
    if attempt.moves is None:
        st.info("The service shows no metrics at /metrics, or did not answer there.")
        return
    if not attempt.moves:
        st.info("No counter of this model moved.")
    else:
        rows = [
            (
                _series(move),
                f"{move.before:.0f}",
                f"{move.after:.0f}",
                f"<b>+{move.after - move.before:.0f}</b>",
                formats.NOTHING if move.ours is None else str(move.ours),
            )
            for move in attempt.moves
        ]
        head = ("Counter", "Before", "After", "Moved", "Ours")
        st.markdown(markup.table(head, rows, numeric=frozenset({1, 2, 3, 4})), unsafe_allow_html=True)
        st.caption(
            "Read from the service just before and just after. Other traffic moves the same counters; what is ours is "
            "worked out from the answers, and a dash where they do not tell."
        )
    if attempt.last_values and not attempt.wish.row:
        _last_values(attempt)


def _series(move: Move) -> str:
    labels = ", ".join(f"{name}={value}" for name, value in move.labels)
    return f"{markup.text(move.name)}<br><small>{markup.text(labels)}</small>"


def _last_values(attempt: Attempt) -> None:
    """Draw what the service measured last of a picture, beside what its drift rule lets pass."""
    known = {feature.name: feature for feature in attempt.wish.model.features}
    rows = []
    for last in attempt.last_values:
        feature = known.get(last.feature)
        if feature is None:
            continue
        within = feature.lower <= last.value <= feature.upper
        state = "✓ within" if within else f"<b>{'▲ above' if last.value > feature.upper else '▼ below'}</b>"
        allowed = f"{feature.lower:.3g} to {feature.upper:.3g}"
        rows.append((markup.text(last.feature), f"{last.value:.3g}", markup.text(allowed), state))
    if rows:
        head = ("Feature of the picture", "Last measured", "Lets pass", "Drift rule")
        st.markdown(markup.table(head, rows, numeric=frozenset({1})), unsafe_allow_html=True)
        st.caption("Of the last picture that the service saw: this one, unless another came in between.")
