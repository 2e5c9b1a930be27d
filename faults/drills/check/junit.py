"""A check as JUnit XML, which CI systems show: a suite for each rule file, a case for each alert.

What ``--fail-on`` asks for is a failure; what was not tried, for want of series or of history, is skipped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from faults.drills.check import phrases
from faults.drills.check.result import AlertResult, CheckResult, Verdict
from faults.drills.check.standing import FailOn, failings
from faults.drills.lint.finding import Finding, Place
from faults.drills.report import amounts

_SKIPPED = frozenset({Verdict.NOT_COVERED, Verdict.INSUFFICIENT_HISTORY})
Failings = Sequence[tuple[FailOn, str]]


def junit(result: CheckResult, fail_on: frozenset[FailOn]) -> str:
    """Return ``result`` as an XML document."""
    by_place: dict[Place, list[tuple[FailOn, str]]] = defaultdict(list)
    others: list[tuple[Finding, FailOn, str]] = []
    for what, reason, words in failings(result, fail_on):
        if isinstance(what, AlertResult):
            by_place[what.place].append((reason, words))
        else:
            others.append((what, reason, words))
    root = ET.Element("testsuites", name="firedrill check")
    for file in result.files:
        suite = ET.SubElement(root, "testsuite", name=amounts.printable(file))
        for alert in result.alerts:
            if alert.place.file == file:
                suite.append(_case(alert, by_place[alert.place]))
        for finding, reason, words in others:
            if finding.place.file == file:
                case = _element(finding.place)
                ET.SubElement(case, "failure", type=reason, message=amounts.printable(words)).text = _text(finding)
                suite.append(case)
        _count(suite, ("testcase",))
    _count(root, ("testsuite", "testcase"))
    root.set("time", f"{result.took_s:.3f}")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(alert: AlertResult, failed: Failings) -> ET.Element:
    case = _element(alert.place)
    if failed:
        text = "\n".join(words for _, words in failed)
        ET.SubElement(
            case, "failure", type=failed[0][0], message=amounts.printable(failed[0][1])
        ).text = amounts.printable(text)
    elif alert.verdict in _SKIPPED:
        ET.SubElement(case, "skipped", message=amounts.printable(f"{alert.verdict}: {alert.reason}"))
    lines = [f"{phrases.standing(alert)}: {phrases.what_it_did(alert)}", *map(_text, alert.findings)]
    ET.SubElement(case, "system-out").text = amounts.printable("\n".join(lines) + "\n")
    return case


def _element(place: Place) -> ET.Element:
    return ET.Element(
        "testcase",
        classname=amounts.printable(f"{place.file}.{place.group}"),
        name=amounts.printable(place.rule),
        file=amounts.printable(place.file),
        line=str(place.line),
        time="0",
    )


def _text(finding: Finding) -> str:
    repair = phrases.shown_repair(finding)
    words = f"{finding.severity}: {phrases.explained(finding)} ({phrases.docs_page(finding)})"
    return amounts.printable(f"{words}\nrepair, which fired here: {repair}" if repair else words)


def _count(suite: ET.Element, path: Sequence[str]) -> None:
    cases = suite.findall("/".join(path))
    suite.set("tests", str(len(cases)))
    suite.set("errors", "0")
    for name, kind in (("failures", "failure"), ("skipped", "skipped")):
        suite.set(name, str(sum(one.find(kind) is not None for one in cases)))
