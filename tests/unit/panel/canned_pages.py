"""Pages of the panel against a canned stack, in Streamlit's own test runner: how they are opened, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from canned_stack import World, speaking

from panel import sources

APP = Path(sources.__file__).with_name("app.py")
if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

Open = Callable[..., "AppTest"]


@pytest.fixture
def open_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Return a function that serves a world and opens a page of the panel on it."""
    import streamlit as st  # noqa: PLC0415 - seconds of import, which only its worker pays
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - as above
    from streamlit.util import calc_hash  # noqa: PLC0415 - as above

    monkeypatch.setenv("FIREDRILL_HOME", str(tmp_path))
    monkeypatch.setenv("FIREDRILL_PACE", "workshop")
    for patience in ("PROMETHEUS_TIMEOUT_S", "CONDUCTOR_TIMEOUT_S"):  # what is silent refuses; a busy machine does not
        monkeypatch.setattr(sources, patience, 30.0)
    with ExitStack() as stack:

        def opened(world: World, page: str = "", *, silent: tuple[str, ...] = (), **query: str) -> AppTest:
            offset = stack.enter_context(speaking(world, frozenset(silent)))
            monkeypatch.setenv("FIREDRILL_PORT_OFFSET", str(offset))
            st.cache_resource.clear()
            test = AppTest.from_file(APP, default_timeout=30)
            test.query_params.update(query)
            if page:
                test._page_hash = calc_hash(page)
            return test.run()

        yield opened
    st.cache_resource.clear()


def said(test: AppTest) -> str:
    """Return everything that a page says in words."""
    groups = (test.markdown, test.caption, test.subheader, test.info, test.success, test.warning, test.error)
    return "\n".join(str(element.value) for group in groups for element in group).replace("\u00a0", " ")
