"""Everything that Streamlit keeps between reruns, in one place: the seam at which tests hand in other sources."""

from __future__ import annotations

import streamlit as st

from panel import roles
from panel.sources import Sources


@st.cache_resource(show_spinner=False)
def sources() -> Sources:
    """Return the sources of this stack, shared by all viewers."""
    return Sources.from_environment(allow=roles.require)
