"""The button that puts everything out, and the proof that everything is out."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from faults.drills.wire import ResetProof
from panel import formats, markup, roles, widgets
from panel.sources import ACTOR, Sources

_KEPT = "reset-proof"


@dataclass(frozen=True)
class Shown:
    """What one press of the button brought, and when (Unix seconds)."""

    at: float
    proof: ResetProof


def draw(sources: Sources) -> None:
    """Draw the button, and what its last press ended and proved."""
    if st.button(
        "Put every fault out",
        type="primary",
        icon=":material/fire_extinguisher:",
        width="stretch",
        key="reset",
        **roles.acting(),
    ):
        proof = widgets.act(sources, lambda: sources.conductor.reset(actor=ACTOR))
        if proof is not None:
            st.session_state[_KEPT] = Shown(time.time(), proof)
    st.caption("Ends every active fault and the running drill, undoes what they changed, and proves it from counters.")
    shown: Shown | None = st.session_state.get(_KEPT)
    if shown is not None:
        _proof(formats.clock(shown.at), shown.proof)


def _proof(at: str, proof: ResetProof) -> None:
    words = "; ".join(f"**{record.kind}** ({formats.count(record.injections, 'hit')})" for record in proof.ended)
    ended = f"put out {formats.count(len(proof.ended), 'fault')}: {words}" if words else "no fault was active"
    if proof.proven:
        st.success(f"{at}: {ended}. Proven in {formats.span(proof.took_s)}.", icon=":material/verified:")
    else:
        st.error(
            f"{at}: {ended}. **Not proven** that everything is out: {'; '.join(proof.because) or 'no reason given'}.",
            icon=":material/report:",
        )
    for record in proof.ended:
        if record.error:
            st.error(f"{record.kind}: {record.error}")
    if proof.checks:
        holding = sum(check.holds for check in proof.checks)
        title = f"Proof: {holding} of {formats.count(len(proof.checks), 'check')} hold"
        with st.expander(title, expanded=not proof.proven):
            rows = [("✓" if c.holds else "✗", markup.text(c.what), markup.text(c.detail)) for c in proof.checks]
            st.markdown(markup.table(("", "Looked at", "Found"), rows), unsafe_allow_html=True)
