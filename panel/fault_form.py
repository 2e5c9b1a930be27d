"""The form that lights a fault, made from what its kind says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st
from pydantic import ValidationError

from faults.base import FaultKind, FaultRequest, Place, Preset, Target
from panel import formats, forms, roles, widgets
from panel.sources import ACTOR, Sources

_EVERY = "every model"
_DEFAULTS = "defaults"
_TTL_S = 60
PLACES: Mapping[Place, str] = {"service": "Service", "traffic": "Traffic", "stack": "Processes and containers"}


def draw(sources: Sources, kinds: Mapping[str, FaultKind]) -> None:
    """Draw the choice of a place, a kind and a preset, and the form made from the kind's schema. Lights on submission.

    Kinds that are unavailable here stand below, with the reason, and cannot be chosen.
    """
    places = [place for place in PLACES if any(kind.place == place for kind in kinds.values())]
    place = st.segmented_control(
        "Where", places, format_func=PLACES.__getitem__, default=places[0], required=True, key="place"
    )
    here = [kind for kind in kinds.values() if kind.place == place]
    offered = [kind.kind for kind in here if kind.available]
    if offered:
        chosen = st.pills(
            "Kind",
            offered,
            format_func=lambda name: kinds[name].title,
            required=True,
            default=offered[0],
            wrap=True,
            key=f"kind-{place}",
        )
        _chosen(sources, kinds[chosen or offered[0]])
    _unavailable([kind for kind in here if not kind.available])


def _chosen(sources: Sources, kind: FaultKind) -> None:
    st.markdown(kind.summary)
    presets = {_DEFAULTS: Preset(), **kind.presets}
    preset = (
        st.pills("Preset", list(presets), default=_DEFAULTS, required=True, key=f"preset-{kind.kind}", wrap=True)
        or _DEFAULTS
    )
    _form(sources, kind, presets[preset], key=f"{kind.kind}-{preset}")


def _unavailable(kinds: Sequence[FaultKind]) -> None:
    if kinds:
        st.caption("Not available here")
        lines = (f":gray[:material/block: **{kind.title}**: {kind.unavailable_because}]" for kind in kinds)
        st.markdown("  \n".join(lines))


def _form(sources: Sources, kind: FaultKind, preset: Preset, *, key: str) -> None:
    fields = forms.with_preset(forms.fields(kind.schema_), preset.parameters)
    with st.form(f"light-{key}"):
        columns = st.columns(2)
        entered = {}
        for index, field in enumerate(fields):
            with columns[index % 2]:
                entered[field.name] = widgets.field_input(field, f"{key}-{field.name}")
        left, right = st.columns(2)
        longest = int(kind.max_ttl_s)
        ttl_s = left.number_input(
            "Time to live (s)",
            1,
            longest,
            min(_TTL_S, longest),
            key=f"{key}-ttl",
            help=f"It ends by itself after this time. The operator allows up to {formats.span(kind.max_ttl_s)}.",
        )
        seed = right.number_input(
            "Seed", 0, value=None, step=1, key=f"{key}-seed", help="Empty: drawn.", placeholder="drawn"
        )
        target, probability, ramp_s = Target(), 1.0, 0.0
        if kind.place == "service":  # elsewhere a fault acts as a whole: on no model, no endpoint, no share of calls
            target = _target(sources, kind, key=key)
            probability, ramp_s = _strength(kind, preset, key=key)
        if not st.form_submit_button(
            "Light the fault",
            type="primary",
            icon=":material/local_fire_department:",
            **roles.acting(),
        ):
            return
    try:
        request = FaultRequest(
            kind=kind.kind,
            parameters=forms.parameters(fields, entered),
            target=target,
            probability=probability,
            ttl_s=ttl_s,
            ramp_s=ramp_s,
            seed=None if seed is None else int(seed),
        )
    except (forms.BadFormValue, ValidationError) as problem:
        st.error(f"Not lit: {problem}")
        return
    record = widgets.act(sources, lambda: sources.conductor.light(request, actor=ACTOR))
    if record is not None:
        st.success(f"**{record.kind}** is lit for {formats.span(record.ttl_s)} (seed {record.seed}, id {record.id}).")


def _target(sources: Sources, kind: FaultKind, *, key: str) -> Target:
    allowed = kind.allowed_models
    models = [_EVERY, *(sources.models.get().value or ())] if allowed is None else list(allowed)
    left, right = st.columns(2)
    model = left.selectbox("Model", models, key=f"{key}-model", help="Which model's requests it may touch.")
    within = kind.allowed_endpoints
    bounds = "" if within is None else f" Within {', '.join(within)}, as the operator limits it."
    endpoint = right.text_input(
        "Endpoint",
        key=f"{key}-endpoint",
        placeholder="all traffic" if within is None else ", ".join(within),
        help=f"Path or glob: /predict*.{bounds}",
    )
    return Target(model=None if model == _EVERY else model, endpoint=endpoint or None)


def _strength(kind: FaultKind, preset: Preset, *, key: str) -> tuple[float, float]:
    """Return the probability, and in how many seconds it rises to that."""
    left, right = st.columns(2)
    most = kind.max_probability
    probability = left.slider(
        "Probability",
        min(0.01, most / 2),
        most,
        min(preset.probability, most),
        0.01,
        key=f"{key}-probability",
        help=f"Share of calls that are hit. The operator allows up to {most:g}.",
    )
    ramp_s = right.number_input(
        "Ramp (s)",
        0.0,
        kind.max_ttl_s,
        0.0,
        1.0,
        format="%g",
        key=f"{key}-ramp",
        help="The probability rises evenly from 0 in this time; 0: it is there at once.",
    )
    return probability, ramp_s
