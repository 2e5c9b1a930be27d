"""The look for a projector: large type, high contrast, and nothing that distracts. Kept in the address (``?view=``)."""

from __future__ import annotations

import streamlit as st

from panel import theme

VIEW = "projector"


def choice() -> None:
    """Draw the switch into the page's header; where it is on, draw the style sheet of the projector's look."""
    with st.container(key="fd-view"):
        chosen = st.segmented_control(
            "View: large type and high contrast for a projector",
            [VIEW],
            format_func=str,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
    if chosen == VIEW:
        st.html(theme.PROJECTOR)
