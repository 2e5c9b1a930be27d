"""A report as JUnit XML, which CI systems show: a suite for each drill, a case for it and one for each alert.

A wrong verdict is a failure, a drill that could not be judged an error, one that cannot run here is skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from faults.drills.report import amounts
from faults.drills.report.batch import Batch, Case
from faults.drills.report.stages import stage_rows
from faults.drills.wire import AlertOutcome, DrillRun


def junit(batch: Batch) -> str:
    """Return the report of ``batch`` as an XML document."""
    root = ET.Element("testsuites", name=amounts.printable(batch.title))
    for case in batch.cases:
        root.append(_suite(case, batch))
    totals = {name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors")}
    for name, value in totals.items():
        root.set(name, str(value))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root):.3f}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
        ('<?xml version="1.0" encoding="UTF-8"?>\n', "\n")
    )


def _suite(case: Case, batch: Batch) -> ET.Element:
    run = case.ran
    began = batch.started_at if run is None else run.queued_at
    stamp = datetime.fromtimestamp(began, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    suite = ET.Element("testsuite", name=amounts.printable(case.name), timestamp=stamp, hostname="localhost")
    if run is not None:
        properties = ET.SubElement(suite, "properties")
        facts = {"run": run.id, "pace": run.pace, "seed": str(run.seed), "verdict": run.verdict or run.phase}
        if run.virtual:
            facts |= {"clock": "virtual", "phases": str(run.tries)}
        if case.evidence is not None:
            facts |= case.evidence.setup.versions
        for name, value in facts.items():
            ET.SubElement(properties, "property", name=amounts.printable(name), value=amounts.printable(value))
    suite.append(_drill(case))
    if run is not None:
        seen: dict[str, int] = {}
        for outcome in run.outcomes:
            if outcome.expected or outcome.verdict == "unexpected":
                suite.append(_alert(case.name, run, outcome, seen))
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(one.find(kind) is not None for one in cases)))
    suite.set("time", f"{_took_s(run):.3f}")
    return suite


def _drill(case: Case) -> ET.Element:
    run = case.ran
    element = ET.Element(
        "testcase", classname=amounts.printable(f"firedrill.{case.name}"), name="the drill", time=f"{_took_s(run):.3f}"
    )
    standing, reason = case.standing, amounts.printable(case.reason)
    if standing in {"skipped", "not run"}:
        ET.SubElement(element, "skipped", message=reason)
    elif standing == "failed":
        ET.SubElement(element, "failure", type="failed", message=reason).text = reason
    elif standing != "passed":
        ET.SubElement(element, "error", type=standing, message=reason).text = reason
    if run is not None:
        ET.SubElement(element, "system-out").text = amounts.printable(f"{run.title}\n{run.reason}\n")
    return element


def _alert(drill: str, run: DrillRun, outcome: AlertOutcome, seen: dict[str, int]) -> ET.Element:
    labels = ",".join(f'{name}="{value}"' for name, value in sorted(outcome.labels.items()))
    name = f"{outcome.alert}{{{labels}}}" if labels else outcome.alert
    seen[name] = seen.get(name, 0) + 1
    if seen[name] > 1:
        name = f"{name} ({seen[name]})"
    took_s = outcome.stages.firing - run.fault_at if outcome.stages.firing is not None and run.fault_at else 0.0
    element = ET.Element(
        "testcase",
        classname=amounts.printable(f"firedrill.{drill}"),
        name=amounts.printable(name),
        time=f"{max(took_s, 0.0):.3f}",
    )
    verdict, detail = outcome.verdict or "undecided", amounts.printable(outcome.detail)
    if verdict in {"undecided", "insufficient history"}:
        kind = "skipped" if run.verdict in {"aborted", "error"} else "failure"
        facts = {"message": detail or verdict} | ({"type": verdict} if kind == "failure" else {})
        ET.SubElement(element, kind, facts)
    elif verdict != "as expected":
        ET.SubElement(element, "failure", type=verdict, message=detail or verdict).text = detail
    lines = (
        f"{row.name}: {amounts.seconds(row.at_s)}, predicted {row.predicted} {row.tick} {row.cause}".rstrip()
        for row in stage_rows(run, outcome)
    )
    ET.SubElement(element, "system-out").text = amounts.printable("\n".join(lines) + "\n")
    return element


def _took_s(run: DrillRun | None) -> float:
    return 0.0 if run is None or run.ended_at is None else max(0.0, run.ended_at - run.queued_at)
