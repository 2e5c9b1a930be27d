"""What keyboards and screen readers need beyond Streamlit: a link past the navigation, a main region, a heading.

It adds to the page and takes nothing from it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st


@st.cache_resource(show_spinner=False)
def _component() -> Callable[..., object]:
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    return st.components.v2.component("firedrill_keyboard", js=script, isolate_styles=False)


def prepare(title: str) -> None:
    """Make the page whose ``title`` this is fit for keyboards; once per page, outside of what refreshes."""
    _component()(key="keyboard", data={"title": title}, height=1)
