"""Which rules a page shows: named in the address by their content, remembered for the way back to the page.

``?rules=ID`` opens what somebody pasted or uploaded as long as this panel knows it; ``?rules=NAME`` a shipped example.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from panel.rulebook.book import Rulebook
from panel.rulebook.errors import RulebookError
from panel.rulebook.examples import examples
from panel.rulebook.texts import MOST_BYTES, RuleText, named, uploaded

RULES, DIALECT, STEP = "rules", "rules-dialect", "rules-step"
_ORIGIN, _SHOWN, _REFUSED, _UPLOADED = "rules-origin", "rules-shown", "rules-refused", "rules-upload"
_CHOSEN, _FRESH, _SAID = "rules-chosen", "rules-chosen-now", "rules-said"
FIRST = "firedrill"


def shown(book: Rulebook) -> RuleText:
    """Return the rules that the address names, else those of before, else the first example; say what is missing."""
    asked = _chosen_just_now() or st.query_params.get(RULES) or st.session_state.get(RULES) or FIRST
    text = book.text(asked)
    if text is None:
        st.warning(
            "The rules of this address are not kept here any more: the panel was started anew, or many others came "
            "after them. Upload or paste them again; what was tried of them is known from before.",
            icon=":material/history:",
        )
        asked = FIRST
        text = examples()[FIRST].text
    if st.query_params.get(RULES) != asked:
        st.query_params[RULES] = asked
    other = st.session_state.get(RULES) != asked
    if other and asked in examples() and DIALECT not in st.query_params:
        st.session_state[DIALECT] = examples()[asked].dialect
    st.session_state[RULES] = asked
    if problem := st.session_state.pop(_REFUSED, None):
        st.error(problem, icon=":material/block:")
    return text


def show(text_id: str) -> None:
    """Have the page show the rules of that id from now on."""
    st.session_state[_CHOSEN], st.session_state[_FRESH] = text_id, True
    st.query_params[RULES] = text_id
    st.session_state[RULES] = text_id


def _chosen_just_now() -> str | None:
    """Return what was chosen here, until the browser's own address has it: a click meanwhile brings the old one."""
    chosen: str | None = st.session_state.get(_CHOSEN)
    if chosen is not None and not st.session_state.pop(_FRESH, False) and st.query_params.get(RULES) == chosen:
        del st.session_state[_CHOSEN]
    return chosen


def _news(field: str, says: str | None) -> bool:
    """Return whether ``field`` did not say that before.

    A field that was taken away is still sent by a browser that has not heard of it, and Streamlit calls that a change.
    """
    said: dict[str, str | None] = st.session_state.setdefault(_SAID, {})
    before, said[field] = said.get(field), says
    return before != says


def editor(book: Rulebook, text: RuleText, *, reason: str | None) -> None:
    """Draw the text to be edited; what is changed becomes a text of its own. ``reason``: why not, for a reader."""
    key = f"rules-text-{st.session_state.get(_ORIGIN)}"
    if st.session_state.get(_SHOWN) != text.id or key not in st.session_state:
        # not by an edit: a field of its own, which holds nothing of what stood there before
        st.session_state[_SHOWN] = st.session_state[_ORIGIN] = text.id
        key = f"rules-text-{text.id}"

    def edited() -> None:
        body = st.session_state[key]
        if body.strip() and body != text.body and st.session_state.get(_SHOWN) == text.id:
            _take(book, lambda: named(text.name, body))
            st.session_state[_SHOWN] = st.session_state[RULES]

    st.text_area(
        f"Rules: {text.name}",
        value=text.body,
        key=key,
        height=430,
        on_change=edited,
        disabled=reason is not None,
        help=reason
        or "A Prometheus rule file, or a PrometheusRule resource. Ctrl+Enter, or a click elsewhere, reads it.",
    )


def chooser(book: Rulebook, *, reason: str | None) -> None:
    """Draw what brings other rules: a shipped example, or a file of one's own. ``reason``: why not the latter."""
    known = examples()
    now = st.session_state.get(RULES)
    left, right = st.columns([1, 1.4], vertical_alignment="top")
    keys = list(known)
    picker = f"rules-example-{now}"  # one for each text: a browser keeps the last choice of a list of the same key
    _news(picker, now if now in known else None)

    def chosen() -> None:
        key = st.session_state[picker]
        if key is not None and _news(picker, key):
            show(key)
            st.session_state[DIALECT] = known[key].dialect

    left.selectbox(
        "Shipped examples",
        keys,
        keys.index(now) if now in known else None,
        key=picker,
        format_func=lambda key: known[key].title,
        placeholder="your own rules",
        on_change=chosen,
    )

    def brought() -> None:
        file = st.session_state[_UPLOADED]
        if file is not None and _news(_UPLOADED, file.file_id):
            _take(book, lambda: uploaded(file.name, file.getvalue()))

    right.file_uploader(
        "Upload a rule file",
        ["yml", "yaml", "rules"],
        max_upload_size=MOST_BYTES // 2**20,
        key=_UPLOADED,
        on_change=brought,
        disabled=reason is not None,
        help=reason,
    )


def _take(book: Rulebook, make: Callable[[], RuleText]) -> None:
    try:
        show(book.texts.put(make()))
    except RulebookError as problem:
        st.session_state[_REFUSED] = str(problem)
