"""Rule files through every check. Nothing is run: what is found follows from the text, the names and the inventory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.drills.lint.check import Check, Remark, Subject, checks
from faults.drills.lint.errors import UnreadableExpression
from faults.drills.lint.expression import Expr, Selector, read_expression
from faults.drills.lint.facts import Facts
from faults.drills.lint.finding import Finding, Place
from faults.drills.lint.inventory import Inventory
from faults.drills.lint.proofs import empty
from faults.drills.lint.watching import watching_of
from faults.drills.lint.writing import written
from stack.rules.file import AlertingRule, RecordingRule, RuleFile

UNREADABLE, NEVER_TRUE = "unreadable", "never-true"
_RANKS = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class _Read:
    place: Place
    rule: AlertingRule | RecordingRule
    root: Expr


def lint(
    rules: Sequence[RuleFile], *, inventory: Inventory | None = None, scrape_s: float = 15.0
) -> tuple[Finding, ...]:
    """Return what is wrong with ``rules``, taken together, in the order of the files, the worst of a rule first.

    ``inventory`` is what is known of the series; without one, checks go by the conventions of names and say so.
    ``scrape_s`` is the interval at which the series are scraped.
    """
    found: list[Finding] = []
    read: list[_Read] = []
    for place, rule in _all(rules):
        try:
            root = read_expression(rule.expr)
        except UnreadableExpression as error:
            found.append(_unreadable(place, str(error)))
            continue
        if isinstance(root, Selector) and root.range_ms:
            found.append(_unreadable(place, f"`{written(root)}` is a range; the result of a rule is an instant vector"))
            continue
        read.append(_Read(place, rule, root))
    recorded: dict[str, list[Expr]] = defaultdict(list)
    for one in read:
        if isinstance(one.rule, RecordingRule):
            recorded[one.rule.name].append(one.root)
    facts = Facts(inventory, recorded, round(scrape_s * 1000))
    watching = watching_of(one.root for one in read if isinstance(one.rule, AlertingRule))
    every = tuple(checks())
    for one in read:
        subject = Subject(one.rule, one.root, facts, watching, empty(one.root, facts))
        found += _of_rule(subject, one.place, every)
    order = {str(file.path): number for number, file in enumerate(rules)}
    return tuple(
        sorted(found, key=lambda one: (order[one.place.file], one.place.line, _RANKS[one.severity], one.check))
    )


def _all(rules: Sequence[RuleFile]) -> Iterator[tuple[Place, AlertingRule | RecordingRule]]:
    for file in rules:
        for group in file.groups:
            for rule in group.rules:
                yield Place(file=str(file.path), group=group.name, rule=rule.name, line=rule.line), rule


def _of_rule(subject: Subject, place: Place, every: Sequence[Check]) -> Iterator[Finding]:
    remarks = [(check, remark) for check in every for remark in check.find(subject)]
    explained = {id(remark.node) for check, remark in remarks if check.name != NEVER_TRUE}
    seen = set()
    for check, remark in remarks:
        if check.name == NEVER_TRUE and id(remark.node) in explained:
            continue
        key = (check.name, remark.message)
        if key not in seen:
            seen.add(key)
            yield _finding(subject, place, check, remark)


def _finding(subject: Subject, place: Place, check: Check, remark: Remark) -> Finding:
    proof = subject.proof
    proved = subject.is_alert and proof is not None and proof.certain and proof.node is remark.node
    pinned = any(getattr(node, "at", "") for node in subject.root.walk())
    return Finding(
        check=check.name,
        severity=remark.severity or check.severity,
        place=place,
        message=remark.message,
        consequence=remark.consequence,
        cannot_fire=proved,
        repair="" if remark.repair is None or pinned else written(remark.repair),
    )


def _unreadable(place: Place, message: str) -> Finding:
    return Finding(
        check=UNREADABLE,
        severity="error",
        place=place,
        message=message[:1].upper() + message[1:],
        consequence="Prometheus refuses the whole file that it stands in, or fails at each evaluation of this rule.",
    )
