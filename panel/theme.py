"""Colours, icons and style sheet of the panel: Okabe and Ito's palette, readable in light and dark. No Streamlit.

Nothing is told by colour alone: every state has a word and an icon beside its colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from faults.drills.report import signs

BLUE = "#0072B2"
LINE = "#2B8CC4"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#8A8A8A"

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
    return signs.band_color(kind)


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
[data-testid="stCaptionContainer"] {opacity: 1 !important; color: light-dark(#5c5e66, #b5b7bd) !important;}
button[kind^="primary"]:enabled p {color: light-dark(#fff, #000);}
@media (max-width: 640px) {[data-testid="stHorizontalBlock"]:has([data-testid="stMetric"]) > [data-testid="stColumn"] {
  min-width: calc(50% - .5rem) !important; flex: 1 1 calc(50% - .5rem) !important;}}
.fd-skip {position: fixed; top: .5rem; left: -100vw; z-index: 1000001; padding: .4rem .9rem; border-radius: .5rem;
  background: #0072B2; color: #fff !important; font-weight: 650;}
.fd-skip:focus {left: .5rem;}
:focus-visible {outline: 3px solid light-dark(#0072B2, #56B4E9) !important; outline-offset: 2px;}
[data-testid="stMain"]:focus-visible {outline: none !important;}
.fd-aloud {position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;}
.fd-chart {position: relative;}
.fd-chart-tools {position: absolute; top: 0; right: 0; display: flex; gap: .3rem; align-items: center; opacity: 0;}
.fd-chart:hover .fd-chart-tools, .fd-chart-tools:focus-within {opacity: 1;}
.fd-chart-tools:has(button:first-of-type:not([hidden])) {opacity: 1;}
.fd-chart-tools button {font: inherit; font-size: .8rem; line-height: 1.5; padding: 0 .5rem; border-radius: .4rem;
  border: 1px solid rgba(128,128,128,.7); background: Canvas; color: CanvasText; cursor: pointer;}
.fd-chart-tools button:hover {border-color: currentColor;}
.fd-chart-tools button[hidden] {display: none;}
@media (hover: none) {.fd-chart-tools {opacity: 1; position: static; justify-content: flex-end;}}
.st-key-fd-view {position: fixed; top: .7rem; right: .8rem; z-index: 1000000; width: auto !important;}
[data-testid="stToolbar"] {padding-right: 7.5rem;}
[data-testid="stTopNavLink"] > span:first-child:not(:last-child) {display: none;}
.fd-steady-note {font: inherit; font-size: .9rem; padding: .1rem .7rem; margin-bottom: .3rem; cursor: pointer;
  border: 2px solid #2B8CC4; border-radius: .5rem; background: transparent; color: inherit;}
.fd-steady a {color: inherit;}
.fd-table td small {overflow-wrap: anywhere;}
.fd-logs details {border-bottom: 1px solid rgba(128,128,128,.3); font-size: .95rem;}
.fd-logs summary {display: flex; flex-wrap: wrap; gap: .1rem .7rem; align-items: baseline; padding: .25rem .2rem;
  cursor: pointer; overflow-wrap: anywhere;}
.fd-logs summary:hover, .fd-table tbody tr:hover {background: rgba(128,128,128,.1);}
.fd-logs summary .fd-chip {min-width: 5.6rem;}
.fd-logs .fd-when {font-variant-numeric: tabular-nums;}
.fd-logs pre {white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24rem; overflow-y: auto;}
.fd-logs td {overflow-wrap: anywhere; white-space: pre-wrap;}
.fd-digits {display: flex; flex-wrap: wrap; gap: .4rem; margin: .3rem 0;}
.fd-digits figure {margin: 0; padding: .2rem; border: 3px solid transparent; border-radius: .4rem; text-align: center;}
.fd-digits figure.chosen {border-color: #2B8CC4;}
.fd-digits img {width: 52px; height: 52px; object-fit: contain; image-rendering: pixelated; display: block;}
.fd-digits figcaption {font-size: .84rem;}
.fd-said {font-size: 2rem; font-weight: 650; line-height: 1.2; margin: 0;}
.fd-checks {list-style: none; margin: .2rem 0 .6rem; padding: 0;}
.fd-checks li {margin: 0 0 .45rem; padding: .35rem .7rem; border-left: 6px solid; border-radius: .4rem;
  background: rgba(128,128,128,.08); line-height: 1.4;}
.fd-checks li b {display: block; font-weight: 650;}
.fd-checks li span {font-variant-numeric: tabular-nums;}
.fd-matrix .wide {overflow-x: auto;}
.fd-matrix table {border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums;}
.fd-matrix th, .fd-matrix td {border: 1px solid rgba(128,128,128,.35); padding: .2rem .45rem;}
.fd-matrix thead th {vertical-align: bottom; font-weight: 600;}
.fd-matrix thead span {writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap;}
.fd-matrix th[scope="row"] {text-align: left; white-space: nowrap; position: sticky; left: 0; z-index: 1;
  background: light-dark(#fff, #0e1117);}
.fd-matrix th .soft {font-weight: 400;}
.fd-matrix td {text-align: center; min-width: 2.3rem;}
.fd-matrix td small {display: block; font-size: .74rem; white-space: nowrap;}
.fd-matrix .unseen {position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);}
.fd-matrix .good {background: rgba(0,158,115,.3);}
.fd-matrix .bad {background: rgba(213,94,0,.38);}
.fd-matrix .warn {background: rgba(230,159,0,.32);}
.fd-legend {display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .9rem; margin: .2rem 0;}
[class*="st-key-rules-text"] textarea {font-family: ui-monospace, monospace; font-size: .85rem; white-space: pre;
  overflow-x: auto;}
.fd-h {margin: .8rem 0 .2rem; font-size: 1.1rem;}
</style>
"""

PROJECTOR = """
<style>
:root {--fd-scale: 1.4; --fd-line: 1.8;}
html {font-size: clamp(19px, 1.5vw, 30px) !important;}
.stApp, .stApp > header, [data-testid="stHeader"] {
  background: light-dark(#fff, #000) !important; color: light-dark(#000, #fff) !important;}
.stApp p, .stApp li, .stApp label, .stApp h1, .stApp h2, .stApp h3, .stApp td, .stApp th,
[data-testid="stMetricValue"], [data-testid="stMetricLabel"], [data-testid="stTopNavLink"] span {
  color: light-dark(#000, #fff) !important;}
[data-testid="stCaptionContainer"] {opacity: 1 !important;}
[data-testid="stMainMenu"], [data-testid="stTooltipIcon"], .fd-card small {display: none !important;}
.block-container {max-width: none; padding-left: 2rem; padding-right: 2rem;}
.fd-strip, .fd-table th, .fd-table td, .fd-card, .fd-stages li {border-color: light-dark(#000, #fff) !important;}
.fd-card {border-width: 2px; border-left-width: 10px;}
.fd-cards {grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr));}
.stButton button {padding-left: .3rem; padding-right: .3rem;}
.stButton button p {white-space: normal;}
.fd-chip {border-width: 3px; font-size: 1rem;}
.fd-stages li {opacity: 1; font-size: 1rem; border-width: 2px;}
.fd-strip, .fd-table {font-size: 1.05rem;}
[data-testid="stBaseButton-primary"] p {color: inherit !important;}
[data-testid="stTopNavLink"] {padding-left: .35rem !important; padding-right: .35rem !important;}
[data-testid="stTopNavLink"] span {font-size: clamp(14px, 1.15vw, 22px) !important;}
[data-testid="stToolbar"] {padding-right: 8.2rem;}
[data-testid="stMetric"] {border: 2px solid light-dark(#000, #fff) !important;}
.stButton button, .stDownloadButton button, [data-baseweb="select"] > div {border-width: 2px !important;}
</style>
"""
"""Added to ``STYLE`` for a projector. Charts take their type's and lines' scale from the two variables."""
