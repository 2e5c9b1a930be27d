"""A list that is refreshed, and yet nothing moves under the pointer: it waits while somebody points at it or reads.

It shows HTML that its caller made and escaped (``markup``). It asks nothing and knows nothing of what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

_HTML = (
    '<div class="fd-steady"><button type="button" class="fd-steady-note" style="visibility:hidden">'
    'Newer ones have come: show them</button><div class="fd-steady-body" role="region"></div></div>'
)


@st.cache_resource(show_spinner=False)
def _component() -> Callable[..., Any]:
    script = "\n".join(
        Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("follow.js", "steady.js")
    )
    return st.components.v2.component("firedrill_steady", html=_HTML, js=script, isolate_styles=False)


def draw(html: str, *, subject: str, alt: str, key: str) -> None:
    """Show ``html``; links with ``data-follow`` lead to other pages of the panel without loading it anew.

    Another ``subject`` (filters that were changed) is shown at once; news about the same one wait for a quiet moment.
    """
    _component()(key=key, data={"html": html, "subject": subject, "alt": alt}, height="content")
