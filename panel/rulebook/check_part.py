"""A check on the page: a verdict for each alert, then one alert in one scenario, value against threshold."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import streamlit as st

from faults.drills.check import phrases
from faults.drills.check.html import RESPONSE_HEAD, response_row
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.check.scenarios import STEADY
from panel import formats, markup, plots, theme
from panel.drawings import Drawings
from panel.rulebook import figures
from panel.rulebook.courses import Course
from panel.rulebook.rule_part import coded
from panel.rulebook.workbench import Job, Workbench

LOOKS: Mapping[str, theme.Look] = MappingProxyType(
    {
        Verdict.FIRES.value: theme.Look("✓", "fires", theme.GREEN, "green"),
        phrases.NOISE: theme.Look("▲", "false alarm", theme.VERMILLION, "red"),
        Verdict.CANNOT_FIRE.value: theme.Look("✗", "cannot fire", theme.VERMILLION, "red"),
        Verdict.DID_NOT_FIRE.value: theme.Look("○", "did not fire here", theme.ORANGE, "orange"),
        Verdict.INSUFFICIENT_HISTORY.value: theme.Look("◔", "insufficient history", theme.ORANGE, "orange"),
        Verdict.NOT_COVERED.value: theme.Look("–", "not covered", theme.GREY, "gray"),
    }
)
_HEAD = ("Verdict", "Alert", "Without a fault", "Fires for which fault, after how long; or why not")


def verdicts(result: CheckResult) -> None:
    """Draw a line for each alert, worst first."""
    standings = [phrases.standing(alert) for alert in result.alerts]
    found = [word for word in reversed(phrases.ORDER) if word in standings]
    for column, word in zip(st.columns(max(1, len(found)), gap="small"), found, strict=False):
        look = theme.look(LOOKS, word)
        column.metric(f"{look.symbol} {look.word.capitalize()}", standings.count(word), border=True)
    rows = [
        (
            markup.chip(theme.look(LOOKS, phrases.standing(alert))),
            f"<b>{markup.text(alert.place.rule)}</b>",
            markup.text(phrases.quietness(alert)),
            coded(_here(phrases.what_it_did(alert))),
        )
        for alert in phrases.in_order(result.alerts)
    ]
    st.markdown(markup.table(_HEAD, rows), unsafe_allow_html=True)
    st.caption(f"{phrases.tried(result)}.")
    for note in result.notes:
        st.caption(f"Note: {note}.")


def one_alert(bench: Workbench, drawings: Drawings, job: Job, result: CheckResult) -> None:
    """Draw one alert in one scenario, as chosen: its value against its threshold, and what it did everywhere."""
    st.subheader("One alert, one fault")
    left, right = st.columns(2)
    names = {_name(index, result): index for index in range(len(result.alerts))}
    chosen = left.selectbox("Alert", list(names), key="rules-alert", bind="query-params")
    index = names[chosen]
    alert = result.alerts[index]
    scenarios = [one.scenario for one in alert.responses] or result.scenarios
    scenario = right.selectbox(
        "Fault", _ordered(alert, scenarios), key=f"rules-fault-{index}", format_func=lambda name: _in_words(alert, name)
    )
    course = bench.course(job.key, index, scenario)
    if course is not None:
        _course(drawings, f"{job.key}-{index}-{scenario}", course)
    st.markdown(
        f"{_badge(alert)} line {alert.place.line}, group {alert.place.group}: {_here(alert.reason).replace('`', '')}"
    )
    st.code(alert.expr, language="promql")
    if alert.responses:
        rows = [tuple(map(coded, response_row(one))) for one in alert.responses]
        with st.expander(f"{chosen} in every scenario", icon=":material/table:"):
            head = tuple(word.capitalize() for word in RESPONSE_HEAD)
            st.markdown(markup.table(head, rows, numeric=frozenset({1, 2, 3, 4, 5})), unsafe_allow_html=True)


def _here(words: str) -> str:
    """Return a hint at an option of the command line as one at a field of this page."""
    return words.replace("try more by --for", "give it more virtual time").replace(
        "try --dialect", "choose the dialect"
    )


def _course(drawings: Drawings, key: str, course: Course) -> None:
    if not course.compared:
        words = course.error or "the expression has no comparison with a number on its outside"
        st.info(f"There is no value to draw against a threshold: {words}.")
        return
    alt = f"{course.alert} in {course.scenario}: value against the threshold, {_told(course)}"
    drawing = drawings.get(("rules", key), 0, lambda: figures.course_figure(course))
    plots.draw(drawing, key=f"course-{key}", alt=alt)
    left_out = sum(one.left_out for one in course.compared)
    st.caption(
        f"One of the tries. The dashed line is the threshold, the band is the fault; the bar at the foot: the alert is "
        f"pending (low, orange) or fires (high, red). {_told(course).capitalize()}."
        + (f" {left_out} more series are not drawn." if left_out else "")
    )


def _told(course: Course) -> str:
    """Return what the alert did, in words."""
    fired = [one for one in course.lives if one.fired_s is not None]
    if not fired:
        return "pending, never firing" if course.lives else "never pending"
    at_s = fired[0].fired_s or 0.0
    ended = fired[-1].ended_s
    until = "and still fires at the end" if ended is None else f"until {formats.span(ended)}"
    return f"fires from {formats.span(at_s) if at_s >= 0 else f'{formats.span(-at_s)} before the fault'} on, {until}"


def _ordered(alert: AlertResult, scenarios: list[str]) -> list[str]:
    """Return the scenarios, those in which it fired first."""
    fired = {one.scenario for one in alert.responses if one.fired}
    return sorted(scenarios, key=lambda name: (name not in fired, name == STEADY))


def _in_words(alert: AlertResult, scenario: str) -> str:
    one = next((each for each in alert.responses if each.scenario == scenario), None)
    if one is None or not one.fired:
        return f"{scenario}: silent"
    return f"{scenario}: fires {phrases.span(one.detection_s)}"


def _name(index: int, result: CheckResult) -> str:
    """Return what an alert is called; with its line where several have that name."""
    place = result.alerts[index].place
    same = sum(one.place.rule == place.rule for one in result.alerts)
    return place.rule if same == 1 else f"{place.rule} (line {place.line})"


def _badge(alert: AlertResult) -> str:
    look = theme.look(LOOKS, phrases.standing(alert))
    return f":{look.badge}-badge[{look.symbol} {look.word}]"
