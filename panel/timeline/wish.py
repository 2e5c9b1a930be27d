"""A stretch of time that was asked for elsewhere than in the picker, such as by zooming into a chart."""

from __future__ import annotations

import streamlit as st

_KEY = "fd-wished-range"


def make(start: str, end: str) -> None:
    """Ask for the range from ``start`` to ``end``, local times as the picker's fields hold them, at the next run."""
    st.session_state[_KEY] = (start, end)


def take() -> tuple[str, str] | None:
    """Return what was asked for, once."""
    wished: tuple[str, str] | None = st.session_state.pop(_KEY, None)
    return wished
