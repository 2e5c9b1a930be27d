"""Rules: one's own alert rules, checked and tried against every fault, without anybody's stack."""

from __future__ import annotations

import streamlit as st

from panel import deps


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Rules", icon=":material/rule:", url_path="rules")


def page() -> None:
    """Draw the rules, or one of the things that can be done with them."""
    from panel.rulebook import steps  # noqa: PLC0415 - half a second of import, for which no other page waits

    steps.draw(deps.sources())
