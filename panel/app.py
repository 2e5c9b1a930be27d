"""The panel's entry: the pages, and the line of states that every page begins with."""

from __future__ import annotations

import streamlit as st

from panel import deps, plots, theme, widgets
from panel.views import alerts, drills, faults, journal, overview, traces


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Firedrill", page_icon=theme.ICON, layout="wide")
    st.html(theme.STYLE)
    sources = deps.sources()
    pages = [view.entry() for view in (overview, faults, alerts, traces, drills, journal)]
    page = st.navigation(pages, position="top")
    widgets.live(sources, lambda: widgets.strip(sources))
    page.run()
    plots.prepare()


if __name__ == "__main__":
    main()
