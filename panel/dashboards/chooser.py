"""The choices above a dashboard: which one, its variables, how often it is drawn anew. All stand in the address."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from panel import roles
from panel.access.errors import ReadOnly
from panel.dashboards.board import Board, Variable
from panel.dashboards.feeds import DashboardFeeds
from panel.dashboards.file import MOST_BYTES
from stack.dashboards.errors import DashboardError
from stack.pace import Pace

REFRESHES_S = (2.0, 5.0, 10.0, 30.0, 60.0)
OFF = "off"
Chosen = tuple[tuple[str, tuple[str, ...]], ...]
_BROUGHT = "fd-brought"


def board(boards: Sequence[Board]) -> Board:
    """Draw the choice of a dashboard and return it."""
    by_name = {name_of(each): each for each in boards}
    if (brought := st.session_state.pop(_BROUGHT, None)) in by_name:
        st.session_state["board"] = brought
    name = st.selectbox("Dashboard", list(by_name), key="board", bind="query-params", width=230)
    return by_name.get(name, boards[0])


def name_of(each: Board) -> str:
    """Return what a dashboard is called in the list and in the address."""
    return each.title if each.shipped else f"{each.title} ({each.uid})"


def variables(feeds: DashboardFeeds, chosen_board: Board) -> Chosen:
    """Draw the dashboard's own choices; return the values of those that do not stand for all there are."""
    chosen = [(each.name, _values(each, feeds.offered(each))) for each in chosen_board.variables]
    return tuple((name, values) for name, values in chosen if values is not None)


def refresh_s(pace: Pace, usual_s: float) -> float:
    """Draw the choice of how often the page is drawn anew, in seconds; 0 is never."""
    usual = 5.0 if pace.factor > 1.0 else min(REFRESHES_S, key=lambda each: abs(each - usual_s))
    options = [*(f"{each:g} s" for each in REFRESHES_S), OFF]
    picked = st.selectbox(
        "Refresh",
        options,
        index=REFRESHES_S.index(usual),
        key="every",
        bind="query-params",
        width=110,
        help="How often the panels are asked anew. Off: the page holds still.",
    )
    return 0.0 if picked not in options or picked == OFF else REFRESHES_S[options.index(picked)]


def upload(feeds: DashboardFeeds) -> None:
    """Draw the field that takes a dashboard's JSON, and take it in."""
    with st.popover("Your dashboard", icon=":material/upload:"):
        st.markdown(
            "The JSON that Grafana gives under *Export*. It is drawn like the others, asks this stack's Prometheus, "
            "and is kept until the panel ends. What of it cannot be drawn is said."
        )
        given = st.file_uploader(
            "Dashboard (JSON)",
            type="json",
            key="dashboard-file",
            max_upload_size=max(1, MOST_BYTES // 1_000_000),
            disabled=not roles.may_act(),
            help=roles.reason(),
        )
        if given is None or st.session_state.get("fd-taken") == given.file_id:
            return
        st.session_state["fd-taken"] = given.file_id
        try:
            roles.require()
            text = given.getvalue().decode("utf-8")
            st.session_state[_BROUGHT] = name_of(feeds.bring(text, given.name))
        except UnicodeDecodeError:
            st.error(f"{given.name} is no dashboard: it is not text in UTF-8.", icon=":material/block:")
        except (DashboardError, ReadOnly) as problem:
            st.error(str(problem), icon=":material/block:")
        else:
            st.rerun()


def _values(variable: Variable, offered: Sequence[str]) -> tuple[str, ...] | None:
    """Return what is chosen for a variable, ``None`` where that is everything."""
    if variable.kind == "datasource":
        return None
    if variable.hidden or variable.kind == "constant":
        return variable.default or None
    key, first = f"var-{variable.name}", variable.default[0] if variable.default else ""
    if variable.kind == "textbox":
        return (st.text_input(variable.title, first, key=key, bind="query-params", width=180),)
    if variable.multiple:
        picked = st.multiselect(
            variable.title,
            offered,
            default=[each for each in variable.default if each in offered],
            key=key,
            bind="query-params",
            width=260,
            placeholder="all" if variable.all_value is not None else "choose",
        )
        return tuple(sorted(picked)) or (None if variable.all_value is not None else tuple(offered[:1]) or None)
    everything = ["all"] if variable.all_value is not None else []
    options = [*everything, *offered]
    at = options.index(first) if first in options else 0
    one = st.selectbox(variable.title, options, index=at if options else None, key=key, bind="query-params", width=200)
    return None if one is None or (everything and one == "all") else (one,)
