"""How the severities of log records look: a symbol and a word beside the colour. No Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from panel import theme
from panel.theme import Look

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "TRACE": Look("·", "trace", theme.GREY, "gray"),
        "DEBUG": Look("·", "debug", theme.GREY, "gray"),
        "INFO": Look("i", "info", theme.BLUE, "blue"),
        "WARN": Look("!", "warning", theme.ORANGE, "orange"),
        "ERROR": Look("✗", "error", theme.VERMILLION, "red"),
        "FATAL": Look("■", "fatal", theme.PURPLE, "violet"),
        "UNSET": Look("?", "unset", theme.GREY, "gray"),
    }
)
_OTHER_WORDS: Mapping[str, str] = MappingProxyType(
    {"WARNING": "WARN", "CRITICAL": "FATAL", "NOTICE": "INFO", "": "UNSET"}
)


def look(severity: str) -> Look:
    """Return how a severity is shown, in whichever words its logger wrote it."""
    word = severity.upper()
    return theme.look(LOOKS, _OTHER_WORDS.get(word, word))
