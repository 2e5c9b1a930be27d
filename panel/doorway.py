"""The line of an opened panel that says who the viewer is, lets the operator show the audience's code, and leads out.

On loopback there is no login, and it draws nothing. What a role may do is not decided here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from panel import markup, roles
from panel.access.entrance import describe
from panel.access.hosts import LOOPBACK, host_of
from panel.access.opening import Opening
from panel.access.pages import LOGOUT
from panel.sources import Sources
from stack.home import endpoints_from_environment

_OUT = f'<a href="{LOGOUT}" target="_self">Log&nbsp;out</a>'
_CODE = '<p style="font:700 3.5rem/1.2 ui-monospace,monospace;letter-spacing:.2em;margin:.5rem 0">{}</p>'


def draw(sources: Sources) -> None:
    """Draw the line, where the panel is open to a network."""
    if not Opening.from_environment().opened:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="doorway"):
        if roles.may_act():
            with st.popover("Let the audience in", icon=":material/group_add:", key="audience"):
                _code(sources)
            st.markdown(f"You are the **operator**. {_OUT}", unsafe_allow_html=True)
        else:
            st.markdown(f"You are **reading along**: look, change nothing. {_OUT}", unsafe_allow_html=True)


def _code(sources: Sources) -> None:
    """Draw the audience's address and code, large enough for the last row."""
    record = sources.access.known()
    if not record.code:
        st.markdown("There is no audience at this panel. Let it in with `firedrill access --new-code`.")
        return
    port = urlsplit(endpoints_from_environment().link("panel")).port or 0
    told = describe(record, port, sites=_here())
    st.markdown("Read-only. Open this address and enter the code:")
    st.markdown("  \n".join(f"**{markup.text(address)}**" for address in told.audience))
    st.markdown(_CODE.format(markup.text(record.code)), unsafe_allow_html=True)


def _here() -> tuple[str, ...]:
    """Return the address by which this viewer came, where it is one that others can use."""
    address = urlsplit(st.context.url or "")
    return () if host_of(address.netloc) in {None, *LOOPBACK} else (f"{address.scheme}://{address.netloc}",)
