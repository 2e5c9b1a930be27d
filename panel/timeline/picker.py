"""The choice of the stretch of time, kept in the address (``?last=``, or ``?from=&to=``) and from page to page."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import get_script_run_ctx

from panel import formats, widgets
from panel.sources import Sources
from panel.timeline import wish
from panel.timeline.moments import BadMoment, length, moment, short
from panel.timeline.range import LONGEST_S, PRESETS_S, TimeRange, usual

FIXED = "custom"
_LAST, _FROM, _TO = "last", "from", "to"
_KEPT, _KEPT_ON = "fd-kept-range", "fd-kept-range-on"
_FIELD_PX = 180


def picked(sources: Sources) -> TimeRange:
    """Draw the choice and return the range. The same on every page, and kept when the page changes."""
    default = usual(sources.pace)
    lengths = _lengths(default.last_s)
    now = time.time()
    _prepare(lengths, now, short(default.last_s))
    with st.container(horizontal=True, vertical_alignment="bottom", key="fd-range"):
        last = st.selectbox(
            "Time range",
            [*lengths, FIXED],
            index=list(lengths).index(short(default.last_s)),
            key=_LAST,
            bind="query-params",
            width=120,
            help="What the charts show: the last minutes, hours or days, or from one moment to another.",
        )
        chosen = TimeRange(last_s=lengths[last]) if last in lengths else _fixed(now) or default
    st.session_state[_KEPT] = {name: st.session_state[name] for name in (_LAST, _FROM, _TO) if name in st.session_state}
    st.session_state[_KEPT_ON] = _page()
    return chosen


def live(sources: Sources, over: TimeRange, part: Callable[[], None]) -> None:
    """Draw ``part`` and refresh it as ``widgets.live`` does, but only as long as something new can come into it."""
    if over.is_over(time.time()):
        part()
    else:
        widgets.live(sources, part)


def _lengths(default_s: float) -> dict[str, float]:
    """Return the lengths to choose from: the usual ones, and the one that the address or an earlier page names."""
    offered = {*PRESETS_S, default_s}
    for named in (st.query_params.get(_LAST), st.session_state.get(_LAST), _kept().get(_LAST)):
        with contextlib.suppress(BadMoment):
            offered.add(min(LONGEST_S, length(named or "")))
    return {short(seconds): seconds for seconds in sorted(offered)}


def _kept() -> dict[str, str]:
    kept: dict[str, str] = st.session_state.get(_KEPT, {})
    return kept


def _prepare(lengths: dict[str, float], now: float, usual_length: str) -> None:
    """Set the fields before they are drawn: by a zoom, by the address, or as they were on the page before."""
    state, query = st.session_state, st.query_params
    wished = wish.take()
    if wished is not None:
        state[_LAST] = FIXED
        _set(_FROM, wished[0])
        _set(_TO, wished[1])
    elif _LAST not in state:
        if _FROM in query and _LAST not in query:
            state[_LAST] = FIXED
        elif _LAST not in query and _FROM not in query:
            for name, value in _kept().items():
                state[name] = value
    else:
        _carry_over(usual_length)
    if state.get(_LAST) == FIXED or query.get(_LAST) == FIXED:
        before = lengths[next(iter(lengths))]
        for name, at in ((_FROM, now - before), (_TO, now)):
            if name not in query and not state.get(name):
                _set(name, formats.day_and_clock(at))


def _page() -> str:
    """Return which page is drawn."""
    context = get_script_run_ctx()
    return context.page_script_hash if context is not None else ""


def _carry_over(usual_length: str) -> None:
    """Give the fields of another page, which know only what they are given, what those of the last one held.

    That is what was drawn there: a browser that lagged behind has perhaps sent what its fields said before.
    """
    come_from_another = st.session_state.get(_KEPT_ON, _page()) != _page()
    for name in (_LAST, _FROM, _TO):
        known = (_kept() if come_from_another else st.session_state).get(name, usual_length)
        if known != usual_length and name not in st.query_params:
            _set(name, known)


def _set(name: str, value: str) -> None:
    """Give a field its value, and the address too: one that is drawn for the first time does not write it there."""
    with contextlib.suppress(StreamlitAPIException):  # it is drawn already, and keeps the address by itself
        st.query_params[name] = value
    st.session_state[name] = value


def _fixed(now: float) -> TimeRange | None:
    """Draw the two moments and return the range between them; say what is wrong with them where something is."""
    entered = [
        st.text_input(label, key=key, bind="query-params", width=_FIELD_PX, help="Local time, such as 12:03:07.")
        for label, key in (("From", _FROM), ("To", _TO))
    ]
    try:
        start, end = (moment(text, now) for text in entered)
    except BadMoment as problem:
        st.error(str(problem), icon=":material/schedule:")
        return None
    if end <= start:
        st.error("The range ends before it begins.", icon=":material/schedule:")
        return None
    return TimeRange(start=start, end=end)
