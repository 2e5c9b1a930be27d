"""What the person at the browser may do. The gate in front of the panel decides it; a page only asks here."""

from __future__ import annotations

from typing import TypedDict

import streamlit as st

from panel.access.errors import ReadOnly
from panel.access.hosts import LOOPBACK, host_of
from panel.access.role import HEADER, Role

__all__ = ["HEADER", "Acting", "Role", "acting", "link_reason", "may_act", "reason", "require", "role"]


def role() -> Role:
    """Return the viewer's role. Without a gate (tests, a panel on loopback) everyone is an operator."""
    return "operator" if st.context.headers.get(HEADER, "operator") == "operator" else "reader"


def may_act() -> bool:
    """Say whether the viewer may light, put out, start, abort or change anything."""
    return role() == "operator"


def reason() -> str | None:
    """Return why an acting button is disabled, as its help; ``None`` where it is not."""
    return None if may_act() else f"{ReadOnly()}."


class Acting(TypedDict):
    """The keyword arguments that disable a button, and say why in its help."""

    disabled: bool
    help: str | None


def acting(*, disabled: bool = False, about: str | None = None) -> Acting:
    """Return them for a button that acts: ``st.button("Light", **roles.acting())``. ``about`` is its help otherwise."""
    return {"disabled": disabled or not may_act(), "help": reason() or about}


def require() -> None:
    """Raise ``ReadOnly`` unless the viewer may act. What acts asks here too: a disabled button is no protection."""
    if not may_act():
        raise ReadOnly


def link_reason() -> str | None:
    """Return why links to other parts of the stack lead nowhere for this viewer; ``None`` where they work.

    All other parts listen on the loopback address of the machine that runs the stack, and nowhere else.
    """
    host = st.context.headers.get("Host")
    if host is None or (may_act() and host_of(host) in LOOPBACK):
        return None
    return "Opens only in a browser on the machine that runs the stack."
