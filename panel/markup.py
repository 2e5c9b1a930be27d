"""The few pieces of HTML that the panel draws itself: cards, stage tracks, tables. Everything given is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from faults.drills.wire import STAGES, StageTimes
from panel import formats, theme
from stack.status import ComponentStatus


def chip(look: theme.Look, word: str | None = None) -> str:
    """Return a small outlined label with a state's symbol and word."""
    return f'<span class="fd-chip" style="border-color:{look.color}">{look.symbol} {escape(word or look.word)}</span>'


def stage_track(stages: StageTimes, since: float | None) -> str:
    """Return the stages of an alert's life in order: when reached (seconds after ``since``, else time of day)."""
    items = []
    for stage in STAGES:
        at: float | None = getattr(stages, stage)
        word = stage.replace("_", " ")
        if at is None:
            items.append(f"<li>○ {word}<span>{formats.NOTHING}</span></li>")
            continue
        when = (
            formats.clock(at)
            if since is None
            else f"{'+' if at >= since else chr(0x2212)}{formats.span(abs(at - since))}"
        )
        items.append(f'<li class="done">✓ {word}<span>{when}</span></li>')
    return f'<ul class="fd-stages">{"".join(items)}</ul>'


def component_cards(components: Iterable[ComponentStatus], *, linked: bool = True) -> str:
    """Return one card per component: state, link (where the viewer can follow one), uptime, memory, restarts."""
    return f'<div class="fd-cards">{"".join(_card(component, linked=linked) for component in components)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: frozenset[int] = frozenset()) -> str:
    """Return a table of cells that are already HTML (see ``text``); ``numeric`` columns are set flush right."""
    marks = ['class="num"' if index in numeric else "" for index in range(len(head))]
    header = "".join(f'<th scope="col" {mark}>{escape(title)}</th>' for title, mark in zip(head, marks, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td {mark}>{cell}</td>' for cell, mark in zip(row, marks, strict=True))}</tr>" for row in rows
    )
    inner = f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="fd-scroll"><table class="fd-table">{inner}</table></div>'


def text(value: object) -> str:
    """Return ``value`` as escaped text."""
    return escape(str(value))


def countdown_bar(left_s: float, whole_s: float, color: str) -> str:
    """Return a thin bar that shows how much of a time to live is left."""
    share = min(1.0, max(0.0, left_s / whole_s)) if whole_s > 0 else 0.0
    return f'<div class="fd-bar"><div style="width:{share * 100:.1f}%;background:{color}"></div></div>'


def _card(component: ComponentStatus, *, linked: bool) -> str:
    look = theme.look(theme.COMPONENT_LOOKS, component.state)
    title = escape(component.title)
    if component.url and linked:
        title = f'<a href="{escape(component.url)}" target="_blank" rel="noopener">{title}</a>'
    facts = [f"{name} {port}" for name, port in component.ports.items()]
    if component.uptime_s is not None and component.state == "ready":
        facts.append(f"up {formats.span(component.uptime_s)}")
    if component.memory_bytes:
        facts.append(formats.memory(component.memory_bytes))
    if component.restarts:
        facts.append(f"restarted {formats.count(component.restarts, 'time')}")
    detail = f"<small>{escape(component.detail)}</small>" if component.detail and component.state != "ready" else ""
    return (
        f'<div class="fd-card" style="border-left-color:{look.color}"><div><span>{title}</span>{chip(look)}</div>'
        f"<small>{escape(' · '.join(facts))}</small>{detail}</div>"
    )
