"""The panel's entry: the pages, and the line of states that every page begins with."""

from __future__ import annotations

import streamlit as st

from panel import deps, doorway, keyboard, plots, theme, widgets
from panel.pictures import button as picture
from panel.views import (
    alerts,
    dashboards,
    drills,
    faults,
    host,
    journal,
    logs,
    overview,
    predict,
    rules,
    slos,
    tour,
    traces,
)
from panel.workshop import projector

VIEWS = (  # the pages, in the order of the navigation
    overview,
    predict,
    faults,
    alerts,
    drills,
    rules,
    traces,
    logs,
    dashboards,
    slos,
    host,
    journal,
    tour,
)


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Firedrill", page_icon=theme.ICON, layout="wide")
    st.html(theme.STYLE)
    plots.prepare()
    projector.choice()
    sources = deps.sources()
    page = st.navigation([view.entry() for view in VIEWS], position="top")
    doorway.draw(sources)
    widgets.live(sources, lambda: widgets.strip(sources))
    page.run()
    picture.button()
    keyboard.prepare(page.title)


if __name__ == "__main__":
    main()
