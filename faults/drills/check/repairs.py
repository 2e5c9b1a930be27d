"""Suggested repairs as rules of their own, so that the same recordings tell whether they would fire.

A repair is only ever shown where it was run, fired in a fault and was quiet without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faults.drills.check.places import alerts_of
from faults.drills.check.responses import response_of
from faults.drills.check.rulefiles import would_load
from faults.drills.check.tried import Tried
from faults.drills.judge.judgement import RuleRef
from faults.drills.lint.finding import Finding
from stack.rules.file import RuleFile, RuleGroup

FILE = Path("suggested-repairs.yml")
"""A name for the repairs' file, which is nowhere on the disk."""


@dataclass(frozen=True)
class Repairs:
    """Rules to be judged beside the others, and which finding each belongs to."""

    files: tuple[RuleFile, ...] = ()
    refs: tuple[tuple[Finding, RuleRef], ...] = ()


def repairs_of(files: Sequence[RuleFile], findings: Sequence[Finding]) -> Repairs:
    """Return the repairs that ``findings`` suggest for alerts of ``files`` and that Prometheus would load."""
    rules = {one.place: (one.group, one.rule) for one in alerts_of(files)}
    suggested = [(finding, *rules[finding.place]) for finding in findings if finding.repair and finding.place in rules]
    groups = [
        RuleGroup(f"repair-{index}", (replace(rule, expr=finding.repair),), group.interval_s, group.query_offset_s)
        for index, (finding, group, rule) in enumerate(suggested)
    ]
    if groups and not would_load(RuleFile(FILE, tuple(groups))):
        groups = [group for group in groups if would_load(RuleFile(FILE, (group,)))]
    by_name = {group.name for group in groups}
    refs = tuple(
        (finding, RuleRef(str(FILE), f"repair-{index}", 0, rule.name))
        for index, (finding, _, rule) in enumerate(suggested)
        if f"repair-{index}" in by_name
    )
    return Repairs((RuleFile(FILE, tuple(groups)),) if groups else (), refs)


def judged(
    findings: Sequence[Finding], repairs: Repairs, steady: Sequence[Tried], tries: Sequence[Sequence[Tried]]
) -> tuple[Finding, ...]:
    """Return ``findings``, each with whether its repair fired for one of ``tries`` and stayed quiet in ``steady``.

    ``tries`` are grouped by scenario.
    """
    fired = {finding: _fires(ref, steady, tries) for finding, ref in repairs.refs}
    return tuple(
        finding.model_copy(update={"repair_fired": fired[finding]}) if finding in fired else finding
        for finding in findings
    )


def _fires(ref: RuleRef, steady: Sequence[Tried], tries: Sequence[Sequence[Tried]]) -> bool:
    if steady and response_of(steady, ref).fired:
        return False
    return any(response_of(each, ref).fired for each in tries)
