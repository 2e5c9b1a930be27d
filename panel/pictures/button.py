"""The page that is shown as a picture, from the page itself: taken by the same camera as ``firedrill screenshot``."""

from __future__ import annotations

import threading
from typing import cast, get_args
from urllib.parse import urlsplit

import streamlit as st

from panel import roles
from panel.pictures.camera import Entry, camera
from panel.pictures.errors import PictureError, UnknownPage
from panel.pictures.places import panel_pages
from panel.pictures.shots import PHONE_PX, WIDTH_PX, PanelPage, Shot, Theme, page_named
from stack.browser import find_chromium
from stack.endpoints import Endpoints
from stack.errors import StackError
from stack.home import Home, endpoints_from_environment

_TAKEN = "fd-picture"
_ONE = threading.Lock()
"""A browser takes a core: one picture at a time, for all viewers."""


def button() -> None:
    """Draw the button that gives the page as PNG. It is drawn once per page, outside of what refreshes."""
    with st.popover("Picture", icon=":material/photo_camera:", help="This page as a picture (PNG)"):
        if not _has_chromium():
            st.markdown(
                "A page is taken by Chromium, and there is none on the panel's machine: install it (`apt-get install "
                "chromium` on Debian), or name it in `FIREDRILL_CHROMIUM`. Each chart has a PNG button of its own."
            )
            return
        look = st.segmented_control("Look", get_args(Theme), default="light", required=True, key="fd-picture-look")
        phone = st.toggle("As on a phone", key="fd-picture-phone")
        caption = st.text_input("Caption", key="fd-picture-caption", placeholder="a line of yours")
        shot = Shot(
            _page(),
            cast("Theme", look),
            PHONE_PX if phone else WIDTH_PX,
            phone,
            caption.strip(),
            st.query_params.to_dict(),
        )
        # it starts a browser on the machine of the stack, which sees the page as the operator does
        if st.button("Take it", key="fd-picture-take", icon=":material/photo_camera:", **roles.acting()):
            _take(shot)
        taken: tuple[str, bytes] | None = st.session_state.get(_TAKEN)
        if taken is not None and taken[0] == shot.file_name:
            st.download_button(
                "Save the picture", taken[1], taken[0], "image/png", on_click="ignore", icon=":material/download:"
            )
            st.image(taken[1])


def _take(shot: Shot) -> None:
    """Take the picture and keep it for this viewer; say why where that fails."""
    if not _ONE.acquire(timeout=30):
        st.warning("Another picture is being taken. Try again in a moment.", icon=":material/hourglass_top:")
        return
    try:
        with st.spinner("The picture is being taken; that takes some seconds."):
            endpoints: Endpoints = endpoints_from_environment()
            entry = Entry(token=Home.from_environment().token())
            with camera(f"http://127.0.0.1:{endpoints.port('panel')}", entry) as taking:
                st.session_state[_TAKEN] = (shot.file_name, taking.take(shot))
    except (PictureError, StackError) as problem:
        st.error(str(problem), icon=":material/block:")
    finally:
        _ONE.release()


def _page() -> PanelPage:
    """Return the page that the viewer is on."""
    pages = panel_pages()
    path = urlsplit(st.context.url or "").path.strip("/").rpartition("/")[2]
    try:
        return page_named(path, pages)[0]
    except UnknownPage:
        return pages[0]


@st.cache_resource(show_spinner=False)
def _has_chromium() -> bool:
    return find_chromium() is not None
