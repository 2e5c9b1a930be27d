"""The pages that there are to take pictures of: those of the navigation. It keeps no list of its own."""

from __future__ import annotations

from panel.pictures.shots import PanelPage


def panel_pages() -> tuple[PanelPage, ...]:
    """Return every page of the panel, in the order of the navigation; a page is named as its module and its address.

    The first is the one at the panel's own address. Streamlit says nothing of pages outside of a browser's visit.
    """
    from panel import app  # noqa: PLC0415 - loads every page, and only here

    names = [view.__name__.rpartition(".")[2] for view in app.VIEWS]
    return tuple(PanelPage(name, "" if place == 0 else name, name.capitalize()) for place, name in enumerate(names))
