"""The style sheet of dashboards' panels: tiles, gauges, bars. Every class begins with ``fd-``."""

from __future__ import annotations

_TALL = "".join(f'[class*="st-key-tall-{px}-"] {{min-height: {px}px;}}\n' for px in range(200, 520, 10))
"""Room that is kept for a chart before it is drawn, so that nothing moves when it is."""
STYLE = (
    f"<style>{_TALL}</style>"
    """
<style>
.fd-ptitle {font-weight: 650; font-size: .98rem; line-height: 1.25;}
[class*="st-key-panel-"] {padding: .45rem .7rem .6rem !important;}
[class*="st-key-about-"] button {padding: 0 .2rem !important; min-height: 1.7rem !important;}
[class*="st-key-about-"] button div[aria-hidden="true"] {display: none;}
[class*="st-key-about-"] button p {font-size: 0;}
[class*="st-key-about-"] button p span {font-size: 1.25rem;}
.fd-panel {overflow: auto; display: flex; flex-direction: column; justify-content: center; border-radius: .4rem;}
.fd-panel:has(.fd-bars), .fd-panel:has(table) {justify-content: flex-start;}
.fd-nothing {text-align: center; opacity: .85; font-size: 1.05rem;}
.fd-tiles {display: grid; grid-template-columns: repeat(auto-fit, minmax(min(6.5rem, 100%), 1fr)); gap: .4rem;
  min-height: 100%;}
.fd-tile {position: relative; display: flex; flex-direction: column; align-items: center; justify-content: center;
  border: 1px solid transparent; border-radius: .4rem; padding: .15rem .3rem; min-height: min-content;}
.fd-tile:not(:only-child) {padding: .1rem .2rem;}
.fd-tile:not(:only-child) b {font-size: 1.2rem;}
.fd-tile b {font-size: 1.55rem; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums;
  text-align: center;}
.fd-tile small {font-size: .85rem; opacity: .9; text-align: center; overflow-wrap: anywhere;}
.fd-level {font-size: .82rem; white-space: nowrap; display: flex; align-items: center; gap: .3rem;}
.fd-level i {width: .8rem; height: .8rem; border-radius: .2rem; display: inline-block;}
.fd-spark {width: 100%; height: 1.5rem; margin-top: .15rem; display: block; object-fit: fill;}
.fd-gauge img {width: 100%; max-width: 8.5rem; flex: 0 1 auto; min-height: 0;}
.fd-gauge b {font-size: 1.2rem; margin-top: -1.5rem;}
.fd-bars {display: flex; flex-direction: column; gap: .3rem; padding: .1rem .2rem;}
.fd-barrow {display: grid; grid-template-columns: minmax(6rem, 38%) 1fr minmax(4.6rem, auto); gap: .5rem;
  align-items: center; font-size: .9rem;}
.fd-barrow span {overflow-wrap: anywhere; line-height: 1.2;}
.fd-barrow b {font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; font-weight: 600;}
.fd-barrow .fd-bar {margin: 0; height: .8rem;}
.fd-happened {display: flex; flex-wrap: wrap; gap: .2rem .9rem; min-height: 1.6rem; font-size: .92rem;}
.fd-happened i {width: .9rem; height: .9rem; border-radius: .2rem; display: inline-block; vertical-align: -1px;
  margin-right: .3rem;}
.fd-slo {border: 1px solid rgba(128,128,128,.4); border-left-width: 6px; border-radius: .5rem; padding: .6rem .9rem;
  margin-bottom: .6rem;}
.fd-note {font-size: .88rem; line-height: 1.35;}
.fd-slo h2 {font-size: 1.15rem; padding: 0; margin: 0 0 .1rem;}
.fd-slo dl {display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .4rem 1rem;
  margin: .5rem 0;}
.fd-slo dt {font-size: .85rem; opacity: .9;}
.fd-slo dd {margin: 0; font-size: 1.25rem; font-weight: 650; font-variant-numeric: tabular-nums;}
.fd-slo dd small {display: block; font-size: .85rem; font-weight: 400;}
</style>
"""
)
