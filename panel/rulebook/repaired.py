"""The rules with the repairs that were run and fired: in the user's own text, comments and all, and as a diff.

Only what was tried is put in: a repair that fired for a fault and was quiet without one. Nothing is run here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from faults.drills.check.result import CheckResult
from faults.drills.lint.finding import Finding
from panel.rulebook.errors import RepairRefused
from panel.rulebook.texts import RuleText
from stack.rules.errors import RuleError
from stack.rules.read import expressions_in, read_rules


@dataclass(frozen=True)
class Repaired:
    """A rule file with its repairs."""

    text: RuleText
    diff: str
    """Unified, as ``patch`` takes it."""
    repairs: tuple[Finding, ...]
    """What was put in, one for a rule at most."""
    left_out: tuple[Finding, ...]
    """Further repairs of the same rules: together they were not run."""


def repaired(text: RuleText, result: CheckResult) -> Repaired | None:
    """Return ``text`` with the repairs that ``result`` has run; ``None`` without any. Raises ``RepairRefused``."""
    proven = [one for one in result.findings if one.repair and one.repair_fired]
    chosen: dict[tuple[str, int], Finding] = {}
    for finding in proven:
        chosen.setdefault((finding.place.group, finding.place.line), finding)
    if not chosen:
        return None
    try:
        body = _with(text, chosen)
        read_rules(body, Path(text.name))
    except RuleError as problem:
        raise RepairRefused(text.name, str(problem)) from None
    lines = (text.body.splitlines(keepends=True), body.splitlines(keepends=True))
    diff = "".join(difflib.unified_diff(*lines, fromfile=text.name, tofile=text.name))
    used = tuple(chosen.values())
    return Repaired(RuleText(_new_name(text.name), body), diff, used, tuple(one for one in proven if one not in used))


def _with(text: RuleText, chosen: dict[tuple[str, int], Finding]) -> str:
    """Return the text with the expressions of ``chosen`` in their places, the last first."""
    path = Path(text.name)
    groups = read_rules(text.body, path).groups
    nodes = expressions_in(text.body, path)
    body = text.body
    for (group, rule), node in sorted(nodes.items(), key=lambda one: -one[1].start_mark.index):
        finding = chosen.get((groups[group].name, groups[group].rules[rule].line))
        if finding is not None:
            begin, end = node.start_mark.index, node.end_mark.index
            indent = " " * (body[:begin].rpartition("\n")[2].find("expr") + 2)
            tail = "\n" if body[begin:end].endswith("\n") else ""
            body = body[:begin] + _scalar(finding.repair, indent) + tail + body[end:]
    return body


def _scalar(expr: str, indent: str) -> str:
    """Return an expression as a YAML scalar: plain where that is safe, else as a block."""
    plain = "\n" not in expr and not any(sign in expr for sign in (": ", " #", "'", "{{")) and expr[0].isalnum()
    lines: Iterable[str] = expr.strip().splitlines()
    return expr if plain else "|\n" + "\n".join(f"{indent}{line}" for line in lines)


def _new_name(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}.repaired{dot}{suffix}"
