"""Faults: light one of any kind, see whether it is really active, put it out."""

from __future__ import annotations

import time

import streamlit as st

from faults.base import FaultRecord
from panel import deps, fault_form, formats, markup, proof, widgets
from panel.sources import Lit, Sources


def entry() -> st.Page:
    """Return the page's place in the navigation."""
    return st.Page(page, title="Faults", icon=":material/local_fire_department:", url_path="faults")


def page() -> None:
    """Draw the page."""
    sources = deps.sources()
    form, active = st.columns([1.15, 1], gap="large")
    with form:
        st.subheader("Light a fault")
        kinds = widgets.value_of(sources.kinds.get())
        if kinds:
            fault_form.draw(sources, {kind.kind: kind for kind in kinds})
        elif kinds is not None:
            st.info("The service offers no fault kinds.")
    with active:
        widgets.live(sources, lambda: _active(sources))


def _active(sources: Sources) -> None:
    st.subheader("Active now")
    records = widgets.value_of(sources.faults.get())
    if records is None:
        return
    widgets.active_faults(sources, records, where="faults")
    burning = [record for record in records if record.state == "active"]
    if burning:
        st.subheader("Is it really active?")
    kinds = {kind.kind: kind for kind in sources.kinds.get().value or []}
    for record in burning:
        if record.kind in kinds:
            movement = sources.movements.get(Lit(record.kind, record.started_at))
            st.markdown(f"**{kinds[record.kind].title}**")
            widgets.proof_line(proof.prove(record, kinds[record.kind].effect, movement.value, time.time()))
    _ended([record for record in records if record.state == "ended"])


def _ended(records: list[FaultRecord]) -> None:
    st.subheader("Ended")
    rows = [
        (
            markup.text(formats.clock(record.started_at)),
            markup.text(record.kind),
            markup.text(formats.span((record.ended_at or record.ends_at) - record.started_at)),
            f"{record.injections:,}",
            markup.text((record.end_reason or "").replace("_", " ") + (f": {record.error}" if record.error else "")),
        )
        for record in records[:12]
    ]
    if not rows:
        st.markdown("None yet.")
        return
    head = ("Lit at", "Kind", "Burned", "Hits", "Ended by")
    st.markdown(markup.table(head, rows, numeric=frozenset({2, 3})), unsafe_allow_html=True)
