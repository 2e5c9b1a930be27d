"""A check as one HTML page that needs nothing but itself: verdicts, alert × fault, and what each verdict rests on."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from faults.drills.check import phrases
from faults.drills.check.result import AlertResult, CheckResult, Response, Verdict
from faults.drills.check.scenarios import STEADY
from faults.drills.check.verdicts import closest_words
from faults.drills.lint.finding import Finding
from faults.drills.report import amounts
from faults.drills.report.markup import (
    Html,
    code_block,
    figures,
    folded,
    heading,
    page,
    paragraph,
    table,
)

_KINDS = {Verdict.FIRES.value: "good", phrases.NOISE: "bad", Verdict.CANNOT_FIRE.value: "bad"}
MEANINGS = (
    ("fires", "it fired for at least one of the faults that were tried, and was silent before"),
    (phrases.NOISE, "it fires without any fault"),
    ("cannot fire", "proved from its expression, or from an inventory that was declared complete"),
    ("did not fire here", "observed, for what was tried and no longer than it was tried"),
    ("insufficient history", "it looks back further than what was recorded"),
    ("not covered", "its series are not among those that were recorded: nothing was learnt of it"),
)
RESPONSE_HEAD = ("scenario", "fired", "after", "resolved after", "told after", "again", "nearest value", "why not")


def html(result: CheckResult) -> str:
    """Return ``result`` as a page."""
    return page("Alert rules checked", _body(result))


def _body(result: CheckResult) -> Iterator[str]:
    yield heading(1, "Alert rules checked")
    yield paragraph(f"{phrases.summary(result)}.", "soft")
    yield paragraph(f"{phrases.tried(result)}.", "soft")
    yield figures(_figures(result))
    ordered = phrases.in_order(result.alerts)
    rows = [
        (_link(index, alert), _badge(alert), phrases.quietness(alert), alert.severity, phrases.what_it_did(alert))
        for index, alert in enumerate(ordered)
    ]
    head = ("alert", "verdict", "without a fault", "severity", "what it did, and why")
    yield table(head, rows, kinds=("name", "", "", "", "long"), label="all alerts")
    faults = [name for name in result.scenarios if name != STEADY]
    if faults and any(phrases.fired(alert) for alert in ordered):
        yield heading(2, "Which alert fires for which fault")
        yield paragraph(
            "Time from the fault to firing, over all phases and seeds; a dash where it stays silent.", "soft"
        )
        yield table(
            ("alert", *faults),
            [(alert.place.rule, *(_cell(alert, name) for name in faults)) for alert in ordered if alert.responses],
            kinds=("name", *("n" for _ in faults)),
            label="alerts by fault",
        )
    if result.findings:
        yield heading(2, "What is wrong with the rules")
        for finding in result.findings:
            yield from _finding(finding)
    yield heading(2, "Each alert")
    for index, alert in enumerate(ordered):
        yield from _alert(index, alert)
    if result.notes:
        yield heading(2, "What to know of it")
        yield f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in result.notes)}</ul>"
    yield heading(2, "What the verdicts say")
    yield table(("verdict", "meaning"), MEANINGS, kinds=("name", "long"), label="verdicts")
    yield "<footer>Made by Firedrill. Every rule was evaluated by Prometheus itself, as it is written.</footer>"


def _figures(result: CheckResult) -> list[tuple[str, str]]:
    standings = [phrases.standing(alert) for alert in result.alerts]
    found = [(word, str(standings.count(word))) for word in reversed(phrases.ORDER) if word in standings]
    return [("alerts", str(len(standings))), *found, ("findings", str(len(result.findings)))]


def _badge(alert: AlertResult) -> Html:
    words = phrases.standing(alert)
    return Html(f'<span class="badge {_KINDS.get(words, "warn")}">{escape(words)}</span>')


def _link(index: int, alert: AlertResult) -> Html:
    return Html(f'<a href="#alert-{index}">{escape(alert.place.rule)}</a>')


def _cell(alert: AlertResult, scenario: str) -> str:
    found = next((one for one in alert.responses if one.scenario == scenario), None)
    if found is None:
        return amounts.NOTHING
    if found.already:
        return "active before"
    return phrases.span(found.detection_s) if found.fired else amounts.NOTHING


def _alert(index: int, alert: AlertResult) -> Iterator[str]:
    yield heading(3, Html(f"{escape(alert.place.rule)} {_badge(alert).text}"), anchor=f"alert-{index}")
    window = "" if alert.window_s is None else f", looks back {amounts.seconds(alert.window_s)}"
    where = (
        f"{alert.place.file}:{alert.place.line}, group {alert.place.group}, for {amounts.seconds(alert.for_s)}{window}"
    )
    yield paragraph(where, "soft")
    yield paragraph(alert.reason)
    yield code_block(alert.expr)
    if alert.responses:
        kinds = ("name", "n", "n", "n", "n", "n", "n", "long")
        body = table(RESPONSE_HEAD, [response_row(one) for one in alert.responses], kinds=kinds, label=alert.place.rule)
        yield folded("In each scenario", body, is_open=alert.verdict is not Verdict.FIRES)
    if alert.episodes:
        times = [
            (
                ", ".join(f'{name}="{value}"' for name, value in one.labels.items()),
                amounts.moment(one.active_at),
                amounts.moment(one.fired_at),
                amounts.moment(one.ended_at),
            )
            for one in alert.episodes
        ]
        columns = ("labels", "true since", "fired", "ended")
        yield table(columns, times, kinds=("long", "n", "n", "n"), label="when it would have fired")


def response_row(one: Response) -> tuple[str, ...]:
    """Return what an alert did in one scenario, under ``RESPONSE_HEAD``; plain text, not escaped."""
    return (
        one.scenario,
        f"{one.fired} of {one.tries}",
        phrases.span(one.detection_s),
        phrases.span(one.reset_s),
        phrases.span(one.told_s),
        str(one.flaps) if one.flaps else amounts.NOTHING,
        closest_words(one.closest) or amounts.NOTHING,
        one.why,
    )


def _finding(finding: Finding) -> Iterator[str]:
    yield heading(3, f"{finding.place.rule}: {finding.check}")
    yield paragraph(f"{finding.severity}, {phrases.place(finding)}; explained in {phrases.docs_page(finding)}", "soft")
    yield paragraph(phrases.explained(finding))
    if repair := phrases.shown_repair(finding):
        yield paragraph("This was run, fired for a fault and was quiet without one:")
        yield code_block(repair)
