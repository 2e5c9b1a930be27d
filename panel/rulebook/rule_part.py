"""The rules themselves on the page: the text to edit, why Prometheus would not load it, what the checks find."""

from __future__ import annotations

import re

import streamlit as st

from faults.drills.check import phrases
from faults.drills.lint.finding import Finding
from panel import formats, markup, theme
from panel.rulebook.proofreading import MOST_AT_ONCE, Proof

_LOOKS = {
    "error": theme.Look("✗", "error", theme.VERMILLION, "red"),
    "warning": theme.Look("!", "warning", theme.ORANGE, "orange"),
    "info": theme.Look("i", "hint", theme.SKY, "blue"),
}
_MOST_MISTAKES = 20
_CODE = re.compile(r"`([^`]+)`")


def summary(proof: Proof) -> str:
    """Return in a line what the rules are, and what is known of them so far."""
    if proof.file is None:
        wrong = formats.count(len(proof.mistakes), "mistake")
        return f":red-badge[✗ not loadable] **{proof.text.name}**: {wrong}"
    parts = [formats.count(len(proof.file.alerts), "alert")]
    parts += [formats.count(proof.recordings, "recording rule")] if proof.recordings else []
    for severity, look in _LOOKS.items():
        number = sum(one.severity == severity for one in proof.findings)
        parts += [f":{look.badge}-badge[{look.symbol} {formats.count(number, look.word)}]"] if number else []
    known = " · ".join(parts)
    nothing = "" if proof.findings or proof.unchecked else " · the checks find nothing"
    return f":green-badge[✓ loadable] **{proof.text.name}**: {known}{nothing}"


def mistakes(proof: Proof) -> None:
    """Draw why Prometheus would not load the rules, each with its line."""
    for one in proof.mistakes[:_MOST_MISTAKES]:
        place = f"line {one.line}" + (f", column {one.column}" if one.column else "") if one.line else "the file"
        st.error(f"**{proof.text.name}, {place}:** {_plain(one.words)}", icon=":material/error:")
        if one.text.strip():
            pointer = f"\n{' ' * (len(str(one.line)) + 3 + one.column - 1)}^" if one.column else ""
            st.code(f"{one.line} | {one.text}{pointer}", language=None)
    if len(proof.mistakes) > _MOST_MISTAKES:
        st.caption(f"and {len(proof.mistakes) - _MOST_MISTAKES} more")


def findings(proof: Proof) -> None:
    """Draw what the checks find in the text, without anything being tried."""
    if proof.unchecked:
        st.info(f"There are more than {MOST_AT_ONCE} rules: the checks are done with *Check*, not while editing.")
        return
    if not proof.findings:
        st.markdown(
            ":green-badge[✓ nothing found] The checks find nothing wrong. Whether the alerts fire, *Check* tries."
        )
        return
    st.markdown(
        markup.table(("", "Rule", "What is wrong, and what comes of it"), map(_row, proof.findings)),
        unsafe_allow_html=True,
    )
    st.caption("Found from the text alone. Repairs are offered once they were run: see *Take along*.")


def _row(finding: Finding) -> tuple[str, ...]:
    about = f"<small>line {finding.place.line}, {markup.text(finding.check)}</small>"
    where = f"<b>{markup.text(finding.place.rule)}</b><br>{about}"
    return markup.chip(_LOOKS[finding.severity]), where, coded(phrases.explained(finding))


def coded(words: str) -> str:
    """Return words as HTML, what stands between backticks as code."""
    return _CODE.sub(r"<code>\1</code>", markup.text(words))


def _plain(words: str) -> str:
    """Return words in which nothing is taken for Markdown."""
    return "".join(f"\\{sign}" if sign in "\\*_[]<>#$~|`:" else sign for sign in words)
