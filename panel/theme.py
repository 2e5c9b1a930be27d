"""Colours, icons and style sheet of the panel: Okabe and Ito's palette, readable in light and dark. No Streamlit.

Nothing is told by colour alone: every state has a word and an icon beside its colour.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

BLUE = "#0072B2"
LINE = "#2B8CC4"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8A8A"

_BANDS = (ORANGE, PURPLE, SKY, VERMILLION, GREEN, BLUE)
_SERVICES = (BLUE, GREEN, PURPLE, SKY, GREY)
ICON = (
    '<svg viewBox="0 0 24 24"><path fill="#D55E00" d="M12 1c1 4 7 7 7 13a7 7 0 0 1-14 0c0-3 1.500-5 3-6.500'
    ' 0 2 .7 3 1.600 3.500C9.500 7.500 10 4 12 1z"/></svg>'
)
"""The browser tab's icon."""
FIRE = ":material/local_fire_department:"
"""A flame, in Streamlit's Markdown."""


@dataclass(frozen=True)
class Look:
    """How one state is shown: a symbol, a word, a hex colour, and the name of Streamlit's badge colour."""

    symbol: str
    word: str
    color: str
    badge: str


_UNKNOWN = Look("?", "unknown", GREY, "gray")

ALERT_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "inactive": Look("○", "inactive", GREEN, "green"),
        "pending": Look("◔", "pending", ORANGE, "orange"),
        "firing": Look("▲", "firing", VERMILLION, "red"),
        "unknown": _UNKNOWN,
    }
)

COMPONENT_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "ready": Look("✓", "ready", GREEN, "green"),
        "starting": Look("…", "starting", ORANGE, "orange"),
        "down": Look("✗", "down", VERMILLION, "red"),
        "stopped": Look("■", "stopped", GREY, "gray"),
    }
)

STACK_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "up": Look("✓", "up", GREEN, "green"),
        "starting": Look("…", "starting", ORANGE, "orange"),
        "degraded": Look("!", "degraded", ORANGE, "orange"),
        "down": Look("✗", "down", VERMILLION, "red"),
    }
)

SOURCE_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "fresh": Look("✓", "fresh", GREEN, "green"),
        "stale": Look("!", "stale", ORANGE, "orange"),
        "unreachable": Look("✗", "unreachable", VERMILLION, "red"),
    }
)

VERDICT_LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "passed": Look("✓", "passed", GREEN, "green"),
        "failed": Look("✗", "failed", VERMILLION, "red"),
        "aborted": Look("■", "aborted", GREY, "gray"),
        "error": Look("!", "error", ORANGE, "orange"),
        "running": Look("▶", "running", BLUE, "blue"),
    }
)


def look(looks: Mapping[str, Look], state: str) -> Look:
    """Return how ``state`` is shown; a state that the table does not know is shown as unknown."""
    return looks.get(state, _UNKNOWN)


def band_color(kind: str) -> str:
    """Return the colour of a fault kind's bands, the same on every page and after every restart."""
    return _BANDS[zlib.crc32(kind.encode()) % len(_BANDS)]


def service_colors(services: Sequence[str]) -> dict[str, str]:
    """Return a colour for each service of a trace, given in the order in which they appear."""
    distinct = dict.fromkeys(services)
    return {service: _SERVICES[index % len(_SERVICES)] for index, service in enumerate(distinct)}


STYLE = """
<style>
.block-container {padding-top: 4.2rem; padding-bottom: 2rem; max-width: 1500px;}
[data-stale="true"] {opacity: 1 !important;}
[data-testid="stStatusWidget"] {display: none;}
[data-testid="stMetricValue"] {font-variant-numeric: tabular-nums;}
[data-testid="stMetric"] {padding: .5rem .9rem !important;}
.fd-strip {display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; align-items: center; font-size: .95rem;
  border-bottom: 1px solid rgba(128,128,128,.35); padding-bottom: .45rem; margin-bottom: .7rem;}
.fd-strip b {font-weight: 650;}
.fd-chip {display: inline-block; border: 2px solid; border-radius: .5rem; padding: 0 .45rem;
  font-size: .88rem; font-weight: 600; white-space: nowrap;}
.fd-cards {display: grid; grid-template-columns: repeat(auto-fill, minmax(215px, 1fr)); gap: .6rem;}
.fd-card {border: 1px solid rgba(128,128,128,.4); border-left-width: 6px; border-radius: .5rem;
  padding: .45rem .7rem; line-height: 1.35;}
.fd-card > div {font-weight: 650; font-size: 1.02rem; display: flex; justify-content: space-between; gap: .5rem;}
.fd-card small {opacity: .8; display: block; font-size: .84rem;}
.fd-stages {display: flex; flex-wrap: wrap; gap: .3rem; list-style: none; margin: .2rem 0; padding: 0;}
.fd-stages li {margin: 0; padding: .1rem .4rem; border-radius: .5rem; border: 1.5px dashed rgba(128,128,128,.6);
  font-size: .84rem; line-height: 1.35; text-align: center; opacity: .8; min-width: 4.4rem; white-space: nowrap;}
.fd-stages li.done {border-style: solid; opacity: 1; font-weight: 600;}
.fd-stages li span {display: block; font-variant-numeric: tabular-nums; font-weight: 400;}
td .fd-stages {flex-wrap: nowrap;}
.fd-bar {height: .5rem; border-radius: .25rem; background: rgba(128,128,128,.25); overflow: hidden; margin-top: .2rem;}
.fd-bar div {height: 100%;}
.fd-table {width: 100%; border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums;}
.fd-table th, .fd-table td {text-align: left; padding: .3rem .6rem; border-bottom: 1px solid rgba(128,128,128,.3);
  vertical-align: top;}
.fd-table td.num, .fd-table th.num {text-align: right;}
.fd-scroll {overflow-x: auto;}
</style>
"""
