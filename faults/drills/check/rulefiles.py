"""Finds and reads the rule files of a check, and has promtool say whether Prometheus would load them.

Every problem of every file is told at once, each with its file, line and column. No PromQL is judged here.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from faults.drills.check.errors import BadRules, NoAlerts, NoSuchRules
from faults.drills.check.horizon import recordings_of
from stack.rules import promtool
from stack.rules.errors import BadRuleFile, PromtoolRefused
from stack.rules.file import RuleFile, RuleGroup
from stack.rules.places import position_in
from stack.rules.read import expressions_in, load_rules, load_text
from stack.rules.write import write_rules

SUFFIXES = (".yml", ".yaml", ".rules")
MOST_FILES = 500
_PROBLEM = re.compile(
    r'^(?P<file>\d+\.yml): (?:\d+:\d+: )?group "(?P<group>(?:[^"\\]|\\.)*)", rule (?P<rule>\d+), '
    r'"(?P<name>(?:[^"\\]|\\.)*)": (?P<said>.*)$'
)
_IN_EXPRESSION = re.compile(
    r"^could not parse expression: (?:(?P<line>\d+):(?P<column>\d+): )?(?:parse error: )?(?P<said>.*)$"
)
_IN_TEMPLATE = re.compile(
    r"^(?P<what>(?:annotation|label) .*?): template: [^:]*:\d+(?::\d+)?: (?P<said>.*)$", re.DOTALL
)
_HEADINGS = ("Checking ", "FAILED", "SUCCESS", "lint error", "Metric:", "Label(s):", "Might cause")


def find_rule_files(patterns: Sequence[str]) -> tuple[Path, ...]:
    """Return the files that ``patterns`` name: files, patterns with ``*``, and folders, searched to the bottom.

    Raises ``NoSuchRules``. Each file once, in the order in which they were named.
    """
    found: dict[Path, Path] = {}
    for pattern in patterns:
        paths = sorted(_named(pattern))
        if not paths:
            raise NoSuchRules(pattern, _reason(pattern))
        found |= {path.resolve(): path for path in paths if path.resolve() not in found}
        if len(found) > MOST_FILES:
            raise NoSuchRules(pattern, f"that makes more than {MOST_FILES} files; check fewer at once")
    return tuple(found.values())


def _named(pattern: str) -> Iterator[Path]:
    path = Path(pattern).expanduser()
    if path.is_dir():
        yield from (one for one in path.rglob("*") if one.suffix in SUFFIXES and one.is_file())
    elif path.exists():
        yield path
    elif any(sign in pattern for sign in "*?["):
        root = Path(path.anchor) if path.is_absolute() else Path()
        relative = path.relative_to(path.anchor) if path.is_absolute() else path
        yield from (one for one in root.glob(str(relative)) if one.is_file())


def _reason(pattern: str) -> str:
    if Path(pattern).expanduser().is_dir():
        return f"this folder has no file that ends in {', '.join(SUFFIXES)}"
    return "no file fits this pattern" if any(sign in pattern for sign in "*?[") else "there is no such file"


def load_rule_files(patterns: Sequence[str]) -> tuple[RuleFile, ...]:
    """Return the rules of all files that ``patterns`` name, as Prometheus would load them.

    Raises ``NoSuchRules``, ``BadRules`` with every problem, ``NoAlerts``, and ``ProgramMissing`` without a promtool.
    """
    paths = find_rule_files(patterns)
    files: list[RuleFile] = []
    problems: list[str] = []
    for path in paths:
        try:
            files.append(load_rules(path))
        except BadRuleFile as error:
            problems.append(str(error))
    problems += refusals(files)
    if problems:
        raise BadRules(problems)
    if not any(file.alerts for file in files):
        raise NoAlerts(paths, len(recordings_of(files)))
    return tuple(files)


def refusals(files: Sequence[RuleFile]) -> list[str]:
    """Return what promtool finds wrong with the expressions, labels and templates of ``files``, with their places.

    ``files`` are on the disk as they were read.
    """
    output = _said(files)
    return [_placed(line, files) for line in _lines(output)] or [output.strip()] if output else []


def would_load(file: RuleFile) -> bool:
    """Return whether Prometheus would load ``file``, which need not be on the disk."""
    return not _said([file])


def _said(files: Sequence[RuleFile]) -> str:
    """Return what promtool says against ``files``, which it knows by their number; empty where it finds no fault.

    It is shown them as plain files that leave out what only a later Prometheus knows (``query_offset``, labels of a
    group), so that a resource is judged like any other file, and a rule file of a newer one is not refused for that.
    """
    if not files:
        return ""
    with tempfile.TemporaryDirectory(prefix="firedrill-check-") as folder:
        shown = []
        for index, file in enumerate(files):
            plain = replace(file, groups=tuple(_plain(group) for group in file.groups))
            path = Path(folder) / f"{index}.yml"
            path.write_text(write_rules(plain, str(file.path)), encoding="utf-8")
            shown.append(path)
        try:
            promtool.check(*shown)
        except PromtoolRefused as error:
            return error.output.replace(f"{folder}/", "")
    return ""


def _plain(group: RuleGroup) -> RuleGroup:
    return replace(group, query_offset_s=None, labels={})


def _lines(output: str) -> Iterator[str]:
    """Yield each problem of promtool's; one that goes on over several lines as one."""
    problem = ""
    for line in map(str.strip, output.splitlines()):
        if not line or line.startswith(_HEADINGS):
            continue
        if re.match(r"\d+\.yml: ", line):
            if problem:
                yield problem
            problem = line
        else:
            problem = f"{problem} {line}".strip()
    if problem:
        yield problem


def _placed(problem: str, files: Sequence[RuleFile]) -> str:
    """Return promtool's ``problem`` with the place in the user's own file."""
    found = _PROBLEM.match(problem)
    if found is None:
        number = re.match(r"(\d+)\.yml: (.*)", problem, re.DOTALL)
        return f"{files[int(number[1])].path}: {number[2]}" if number else problem
    file = files[int(found["file"].removesuffix(".yml"))]
    names = [group.name for group in file.groups]
    group = found["group"].replace('\\"', '"').replace("\\\\", "\\")
    rule = int(found["rule"]) - 1
    if group not in names:
        return f"{file.path}: {found['name']}: {found['said']}"
    at = (names.index(group), rule)
    inside = _IN_EXPRESSION.match(found["said"])
    if inside is None:
        line = file.groups[at[0]].rules[rule].line
        return f"{file.path}:{line}: {found['name']}: {_of_rule(found['said'])}"
    node = expressions_in(load_text(file.path), file.path)[at]
    place = position_in(load_text(file.path), node, int(inside["line"] or 1), int(inside["column"] or 1))
    return (
        f"{file.path}:{place.line}:{place.column}: {found['name']}: {inside['said']}; expected a PromQL expression here"
    )


def _of_rule(said: str) -> str:
    """Return what promtool says of a rule's label or annotation, with what was expected."""
    template = _IN_TEMPLATE.match(said)
    if template is not None:
        expected = "a template such as {{ $labels.job }} or {{ $value }}"
        return f"the template of {template['what']} does not parse: {template['said']}; expected {expected}"
    return f"{said}; expected what Prometheus can load"
