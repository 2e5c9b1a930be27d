"""Journal: who did what when, newest first."""

from __future__ import annotations

import json
from collections.abc import Sequence

import streamlit as st
from pydantic import JsonValue

from faults.drills.wire import JournalEntry
from panel import deps, formats, markup, widgets
from panel.sources import Look, Sources

_SPANS = {"everything": 0.0, "last 10 minutes": 600.0, "last hour": 3600.0, "last day": 86400.0}
_ANYONE = "anyone"
_FACT_CHARS = 90


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Journal", icon=":material/history_edu:", url_path="journal")


def page() -> None:
    """Draw the filters and the lines that pass them."""
    sources = deps.sources()
    who, when, what = st.columns([1, 1, 2])
    known = sources.journal.get(Look()).value or []
    actors = sorted({each.actor for each in known})
    actor = who.selectbox("Who", [_ANYONE, *actors], key="actor", bind="query-params")
    span = when.selectbox("When", list(_SPANS), key="when", bind="query-params")
    words = what.text_input("Contains", key="words", bind="query-params", placeholder="an action, a fault, a drill…")
    look = Look(_SPANS[span], "" if actor == _ANYONE else actor)
    widgets.live(sources, lambda: _lines(sources, look, words))


def _lines(sources: Sources, look: Look, words: str) -> None:
    found = widgets.value_of(sources.journal.get(look))
    if found is None:
        return
    shown = [each for each in found if words.lower() in _plain(each).lower()]
    if not shown:
        st.markdown("Nothing stands in the journal for that." if found else "Nothing stands in the journal yet.")
        return
    st.caption(f"{len(shown)} of the newest {formats.count(len(found), 'line')}")
    st.markdown(markup.table(("At", "Who", "Did", "To", "Facts"), _rows(shown)), unsafe_allow_html=True)


def _rows(entries: Sequence[JournalEntry]) -> list[tuple[str, ...]]:
    return [
        (
            f'<span style="white-space:nowrap">{markup.text(formats.day_and_clock(each.at))}</span>',
            markup.text(each.actor),
            f"<b>{markup.text(each.action.replace('_', ' '))}</b>",
            markup.text(each.subject),
            f"<small>{markup.text(' · '.join(_fact(name, value) for name, value in each.facts.items()))}</small>",
        )
        for each in entries
    ]


def _plain(each: JournalEntry) -> str:
    facts = " ".join(_fact(name, value) for name, value in each.facts.items())
    return f"{each.actor} {each.action} {each.action.replace('_', ' ')} {each.subject} {facts}"


def _fact(name: str, value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{name}: {text if len(text) <= _FACT_CHARS else text[: _FACT_CHARS - 1] + '…'}"
