"""The project's own corpus of rules, good and bad: no wrong verdict, and what is proved is held against Prometheus."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from faults.drills.lint.check import checks
from faults.drills.lint.expression import read_expression
from faults.drills.lint.finding import Finding
from faults.drills.lint.inventory import Inventory, read_inventory
from faults.drills.lint.lint import UNREADABLE, lint
from faults.drills.lint.shapes import selectors
from faults.drills.lint.writing import written
from stack.rules.read import AlertingRule, RecordingRule, RuleFile, RuleGroup, load_rules
from tests.unit.faults.test_lint_proofs import assert_empty

CORPUS = Path(__file__).parent / "corpus"
FILES = ("good", "bad", "alone", "known", "complete")
KNOWN = (CORPUS / "known.prom").read_text(encoding="utf-8")


def inventory_for(name: str) -> Inventory | None:
    """Return the inventory that the corpus file ``name`` is checked with."""
    return read_inventory(KNOWN, "known.prom", complete=name == "complete") if name in {"known", "complete"} else None


@cache
def rules_and_findings(name: str) -> list[tuple[AlertingRule | RecordingRule, list[Finding]]]:
    """Return each rule of a corpus file with what was found in it."""
    file = load_rules(CORPUS / f"{name}.yml")
    found = defaultdict(list)
    for finding in lint([file], inventory=inventory_for(name)):
        found[finding.place.line].append(finding)
    return [(rule, found[rule.line]) for group in file.groups for rule in group.rules]


@pytest.mark.parametrize("name", FILES)
def test_there_is_no_wrong_verdict(name: str) -> None:
    """Each rule has the findings that its label `expect` names and no other; `!` is a proof that it cannot fire."""
    wrong = []
    for rule, findings in rules_and_findings(name):
        found = sorted(f"{one.check}{'!' if one.cannot_fire else ''}" for one in findings)
        if found != sorted(rule.labels.get("expect", "").split()):
            wrong.append((rule.line, rule.expr, rule.labels.get("expect", "nothing"), found))
    assert wrong == []


def test_the_corpus_is_large_and_has_every_mistake() -> None:
    """There are 200 rules and more, 100 of them good, and each check is expected somewhere."""
    rules = [rule for name in FILES for rule, _ in rules_and_findings(name)]
    expected = Counter(word.rstrip("!") for rule in rules for word in rule.labels.get("expect", "").split())
    assert len(rules) >= 200
    assert sum("expect" not in rule.labels for rule in rules) >= 100
    assert set(expected) == {*(check.name for check in checks()), UNREADABLE}


def test_what_is_proved_has_no_result_in_prometheus(tmp_path: Path) -> None:
    """Every alert of the corpus that cannot fire is empty over series of all kinds of values, or the known ones."""
    proved = {
        name: [rule.expr for rule, findings in rules_and_findings(name) if any(one.cannot_fire for one in findings)]
        for name in ("bad", "complete")
    }
    assert len(proved["bad"]) >= 30
    assert len(proved["complete"]) >= 8
    assert_empty(proved["bad"], _with_values(_series_for(proved["bad"])), tmp_path)
    known = [sample for family in text_string_to_metric_families(KNOWN) for sample in family.samples]
    assert_empty(proved["complete"], _with_values({_named(one.name, one.labels) for one in known}), tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_repair_does_not_have_the_mistake_any_more(name: str) -> None:
    """Each suggested repair can be read, and the check that suggested it has nothing to say of it."""
    suggested = 0
    for rule, findings in rules_and_findings(name):
        for one in findings:
            if one.repair and isinstance(rule, AlertingRule):
                suggested += 1
                repaired = replace(rule, expr=one.repair)
                group = RuleGroup("repaired", (repaired,))
                left = lint([RuleFile(Path("repaired.yml"), (group,))], inventory=inventory_for(name))
                assert one.check not in {each.check for each in left}, (rule.expr, one.repair)
    assert suggested > 0 or name == "good"


def _series_for(expressions: list[str]) -> set[str]:
    """Return series for all selectors in ``expressions``, such as pass their matchers among them."""
    found = {'a_metric{x="3"}', 'b_metric{x="3"}'}
    for text in expressions:
        for one in selectors(read_expression(text)):
            chosen = {each.label: each.value for each in one.matchers if each.op == "=" and each.value}
            for more in ({}, {"x": "1", "job": "api"}, {"x": "2", "le": "0.5"}, {"x": "2", "le": "+Inf"}):
                found.add(_named(one.metric, {**more, **chosen}))
    return found


def _named(name: str, labels: Mapping[str, str]) -> str:
    inside = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def _with_values(series: set[str]) -> Mapping[str, str]:
    chance = random.Random(7)
    return {one: _values(one, chance) for one in sorted(series)}


def _values(series: str, chance: random.Random) -> str:
    name = series.partition("{")[0]
    if name == "build_info":
        return "1+0x40"
    if name == "up":
        return " ".join(str(chance.randint(0, 1)) for _ in range(40))
    if name.endswith(("_total", "_bucket", "_count")):
        return f"0+{chance.randint(0, 9)}x40"
    return " ".join(f"{chance.choice((-7, 0, 0.5, 1, 2, 4, 6, 50))}" for _ in range(40))


def test_every_expression_of_the_corpus_is_written_as_it_reads() -> None:
    """Read, written and read again, an expression is the same."""
    for name in FILES:
        for rule, findings in rules_and_findings(name):
            if not any(one.check == UNREADABLE for one in findings):
                text = written(read_expression(rule.expr))
                assert written(read_expression(text)) == text
