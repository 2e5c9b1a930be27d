"""The form that lights a fault, made from what its kind says of itself."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from pydantic import ValidationError

from faults.base import MAX_TTL_S, FaultKind, FaultRequest, Preset, Target
from panel import formats, forms, widgets
from panel.sources import ACTOR, Sources

_EVERY = "every model"
_DEFAULTS = "defaults"
_TTL_S = 60


def draw(sources: Sources, kinds: Mapping[str, FaultKind]) -> None:
    """Draw the choice of a kind and a preset, and the form made from the kind's schema. Lights on submission."""
    name = st.pills(
        "Kind", list(kinds), format_func=lambda k: kinds[k].title, required=True, default=next(iter(kinds)), wrap=True
    )
    kind = kinds[name or next(iter(kinds))]
    st.markdown(kind.summary)
    if not kind.available:
        st.warning(f"Unavailable here: {kind.unavailable_because}")
        return
    presets = {_DEFAULTS: Preset(), **kind.presets}
    chosen = (
        st.pills("Preset", list(presets), default=_DEFAULTS, required=True, key=f"preset-{kind.kind}", wrap=True)
        or _DEFAULTS
    )
    _form(sources, kind, presets[chosen], key=f"{kind.kind}-{chosen}")


def _form(sources: Sources, kind: FaultKind, preset: Preset, *, key: str) -> None:
    fields = forms.with_preset(forms.fields(kind.schema_), preset.parameters)
    with st.form(f"light-{key}"):
        columns = st.columns(2)
        entered = {}
        for index, field in enumerate(fields):
            with columns[index % 2]:
                entered[field.name] = widgets.field_input(field, f"{key}-{field.name}")
        models = [_EVERY, *(sources.models.get().value or ())]
        left, right = st.columns(2)
        model = left.selectbox("Model", models, key=f"{key}-model", help="Which model's requests it may touch.")
        endpoint = right.text_input(
            "Endpoint", key=f"{key}-endpoint", placeholder="all traffic", help="Path or glob: /predict*"
        )
        ttl_s = left.number_input(
            "Time to live (s)", 1, int(MAX_TTL_S), _TTL_S, key=f"{key}-ttl", help="It ends by itself after this time."
        )
        probability = right.slider(
            "Probability",
            0.01,
            1.0,
            preset.probability,
            0.01,
            key=f"{key}-probability",
            help="Share of calls that are hit.",
        )
        seed = left.number_input(
            "Seed", 0, value=None, step=1, key=f"{key}-seed", help="Empty: drawn.", placeholder="drawn"
        )
        if not st.form_submit_button("Light the fault", type="primary", icon=":material/local_fire_department:"):
            return
    try:
        request = FaultRequest(
            kind=kind.kind,
            parameters=forms.parameters(fields, entered),
            target=Target(model=None if model == _EVERY else model, endpoint=endpoint or None),
            probability=probability,
            ttl_s=ttl_s,
            seed=None if seed is None else int(seed),
        )
    except (forms.BadFormValue, ValidationError) as problem:
        st.error(f"Not lit: {problem}")
        return
    record = widgets.act(sources, lambda: sources.conductor.light(request, actor=ACTOR))
    if record is not None:
        st.success(f"**{record.kind}** is lit for {formats.span(record.ttl_s)} (seed {record.seed}, id {record.id}).")
