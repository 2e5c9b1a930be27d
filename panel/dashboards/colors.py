"""Grafana's colours as those of the panel's palette, readable in light and dark and by the colour-blind. Pure."""

from __future__ import annotations

import re

from panel import theme

PALETTE = (
    theme.LINE,
    theme.ORANGE,
    theme.GREEN,
    theme.VERMILLION,
    theme.PURPLE,
    theme.SKY,
    "#A8923A",
    theme.GREY,
)
"""Colours of series, in order; after the last one dashes tell them apart."""
DASHES = ("solid", "dash", "dot", "dashdot")
_NAMES = {
    "green": theme.GREEN,
    "yellow": "#C9A227",
    "orange": theme.ORANGE,
    "red": theme.VERMILLION,
    "blue": theme.LINE,
    "purple": theme.PURPLE,
    "gray": theme.GREY,
    "grey": theme.GREY,
    "text": theme.GREY,
    "white": theme.GREY,
    "black": theme.GREY,
    "transparent": "rgba(0,0,0,0)",
}
_SHADES = re.compile(r"^(?:super-light|light|semi-dark|dark)-")
_CSS = re.compile(r"#[0-9A-Fa-f]{3,8}|rgba?\([0-9., %]+\)")


def known(color: str) -> bool:
    """Say whether ``color`` is one of Grafana's names or a colour of CSS."""
    return _SHADES.sub("", color) in _NAMES or _CSS.fullmatch(color) is not None


def css(color: str) -> str:
    """Return ``color`` as CSS; one that is not known, and none, is grey. What comes back is safe to stand in HTML."""
    named = _NAMES.get(_SHADES.sub("", color))
    return named or (color if _CSS.fullmatch(color) else theme.GREY)


def faded(color: str, share: float) -> str:
    """Return a colour of CSS with so much of its full strength; what is no hexadecimal colour is left as it is."""
    found = re.fullmatch(r"#([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})([0-9A-Fa-f]{2})", color)
    if found is None:
        return color
    red, green, blue = (int(part, 16) for part in found.groups())
    return f"rgba({red},{green},{blue},{share:.2f})"


def series(index: int) -> tuple[str, str]:
    """Return colour and dash of the series of that number: no two of the first 32 look alike."""
    return PALETTE[index % len(PALETTE)], DASHES[index // len(PALETTE) % len(DASHES)]
