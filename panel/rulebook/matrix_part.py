"""The matrix on the page: which alert fires for which fault, in signs, words and colours; what is missing."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from faults.drills.check import matrix_words as words
from faults.drills.check.matrix import CellState, Matrix, matrix_of
from faults.drills.check.matrix_expected import BadExpectations, expectations_in
from faults.drills.check.matrix_page import grid
from panel import markup
from panel.rulebook.answers import CheckAnswer
from panel.rulebook.rule_part import coded


def wished(found: CheckAnswer) -> Matrix:
    """Draw what the viewer expects of the alerts, and return the matrix by that; else by the library's drills."""
    alerts = list(dict.fromkeys(alert.place.rule for alert in found.result.alerts))
    with st.expander("What do you expect? By default: what the shipped drills expect", icon=":material/checklist:"):
        text = st.text_area(
            "Expectations (YAML)",
            key="rules-wishes",
            height=150,
            placeholder=f"{alerts[0] if alerts else 'Alert'}:\n  expected: [error]\n  silent: others",
            persist_state="session",
            help="For each alert: `expected`, `allowed` and `silent`, lists of faults. `others`: all the rest.",
        )
    if not text.strip():
        return found.matrix
    try:
        wishes = expectations_in(text, "your table", alerts)
    except BadExpectations as bad:
        st.error(str(bad), icon=":material/error:")
        return found.matrix
    anew = matrix_of(found.result, (), wishes)
    return anew.model_copy(update={"redundant": found.matrix.redundant})


def matrix(found: Matrix) -> None:
    """Draw the figures, the table, its signs, and what follows from it."""
    figures = (
        ("Expected, and fired", found.count(CellState.DETECTED)),
        ("Missed", found.count(CellState.MISSED) + found.count(CellState.AT_TIMES)),
        ("False alarms", found.count(CellState.FALSE)),
        ("Faults without an alert", len(found.uncovered)),
        ("Redundant alerts", len(found.redundant)),
    )
    for column, (name, value) in zip(st.columns(len(figures), gap="small"), figures, strict=True):
        column.metric(name, value, border=True)
    st.html(f'<div class="fd-matrix">{"".join(grid(found))}</div>')
    signs = " ".join(
        f"<span><b>{markup.text(sign)}</b> {markup.text(meaning)}</span>" for sign, meaning in words.legend(found)
    )
    st.html(f'<div class="fd-legend">{signs}</div>')
    st.caption(f"{words.about(found)}. Times are minutes:seconds from the fault to firing, over all tries.")
    left, right = st.columns(2, gap="large")
    with left:
        _listed("Not as wished", [words.wrong_words(one) for one in found.wrong])
        _listed("Redundant alerts", [words.redundant_words(one) for one in found.redundant])
    with right:
        _listed("Faults for which no alert fires", found.uncovered)


def _listed(title: str, lines: Sequence[str]) -> None:
    items = "".join(f"<li>{coded(line)}</li>" for line in lines)
    st.html(f'<h4 class="fd-h">{markup.text(title)}</h4>' + (f"<ul>{items}</ul>" if items else "<p>None.</p>"))
