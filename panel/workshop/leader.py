"""What a workshop's leader needs on the page: scenes to set, what the traffic is now, and one way back to clean."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import streamlit as st

from panel import formats, roles, widgets
from panel.sources import Sources
from panel.workshop import lesson
from panel.workshop.leading import PRESETS, Cleaned, clean, set_scene

_KEPT = "cleaned"


@dataclass(frozen=True)
class _Shown:
    at: float
    cleaned: Cleaned


def draw(sources: Sources) -> None:
    """Draw the scenes, the traffic and the reset."""
    if not roles.may_act():
        st.caption(lesson.READER)
    reset, scenes = st.columns([1, 1.5], gap="large")
    with reset:
        _reset(sources)
    with scenes:
        st.markdown("**Scenes**")
        for name, preset in PRESETS.items():
            button, words = st.columns([1, 2], vertical_alignment="center")
            words.markdown(preset.says)
            if button.button(preset.title, key=f"scene-{name}", width="stretch", **roles.acting()):
                said = widgets.act(sources, partial(set_scene, sources, preset))
                if said is not None:
                    st.toast(said, icon=":material/check_circle:")
        widgets.live(sources, lambda: _traffic(sources))


def _reset(sources: Sources) -> None:
    st.markdown("**A clean state**")
    if st.button(
        "Reset to a clean state",
        key="clean",
        type="primary",
        icon=":material/restart_alt:",
        width="stretch",
        **roles.acting(),
    ):
        with st.spinner("Putting everything out, and proving it"):
            cleaned = widgets.act(sources, partial(clean, sources))
        if cleaned is not None:
            st.session_state[_KEPT] = _Shown(time.time(), cleaned)
    st.caption(
        "Puts every fault out and ends the running drill, brings traffic back to 5 requests a second, takes the "
        "practice rules away, and proves from counters that nothing acts any more. Recordings, traces and the journal "
        "stay."
    )
    shown: _Shown | None = st.session_state.get(_KEPT)
    if shown is not None:
        _cleaned(shown)
    widgets.live(sources, lambda: _loud(sources))


def _cleaned(shown: _Shown) -> None:
    at, cleaned = formats.clock(shown.at), shown.cleaned
    lines = "".join(f"\n- {line}" for line in cleaned.done)
    if cleaned.clean:
        took = formats.span(cleaned.proof.took_s if cleaned.proof else None)
        st.success(f"{at}: clean, proven in {took}.{lines}", icon=":material/verified:")
    else:
        wrong = "".join(f"\n- {line}" for line in cleaned.problems)
        st.error(f"{at}: **not proven clean**.{wrong}{lines}", icon=":material/report:")


def _loud(sources: Sources) -> None:
    """Say which alerts are still on their way to quiet: the past is still in their windows."""
    alerts = sources.alerts.get().value
    if alerts is None:
        return
    loud = [f"{each.alert} ({each.state})" for each in alerts if each.state in ("pending", "firing")]
    if loud:
        st.markdown(f"Alerts not quiet yet: {', '.join(loud)}. They look back; wait for them, or go on.")
    else:
        st.markdown(f"Every one of {formats.count(len(alerts), 'alert')} is quiet.")


def _traffic(sources: Sources) -> None:
    traffic = widgets.value_of(sources.workshop.traffic.get())
    if traffic is not None:
        settings = traffic.settings
        models = ", ".join(settings.models) or "no model"
        st.markdown(
            f"Traffic now: **{settings.rate:g} requests a second** to {models}"
            + (f", {formats.quantity(settings.ood_share, 'ratio')} of them strange" if settings.ood_share else "")
            + (f". It waits for: {traffic.waits_for}" if traffic.waits_for else ".")
        )
