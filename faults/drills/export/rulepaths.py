"""Where a test finds its rules: the user's own files where promtool can read them, else a copy that it can."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stack.rules import promtool
from stack.rules.errors import PromtoolRefused
from stack.rules.file import RuleFile, RuleGroup
from stack.rules.write import write_rules

_PATTERN = frozenset("*?[\\")
"""In the name of a rule file they make promtool look for several."""


@dataclass(frozen=True)
class RulePaths:
    """What stands under ``rule_files`` of a test, and what has to be written beside it."""

    names: tuple[str, ...]
    copies: tuple[tuple[str, str], ...] = ()
    """Name and text of each rule file that is to be written into the folder of the test."""


def rule_paths(files: Sequence[RuleFile], needed: Sequence[RuleFile], test: Path) -> RulePaths:
    """Return how the test file ``test`` refers to ``files``; ``needed`` is what it needs of each of them.

    A file that is not there (rules of a stack that runs), a resource of Kubernetes and one that this promtool does not
    take are copied: what is needed of it, as a plain rule file, without what only a later Prometheus knows.
    """
    names: list[str] = []
    copies: list[tuple[str, str]] = []
    for index, (file, part) in enumerate(zip(files, needed, strict=True)):
        if _readable(file.path):
            names.append(os.path.relpath(file.path.resolve(), test.parent.resolve()))
        else:
            number = "" if len(files) == 1 else f"-{index + 1}"
            name = f"{test.name.split('.')[0]}{number}.rules.yml"
            names.append(name)
            copies.append((name, write_rules(_plain(part), str(file.path))))
    return RulePaths(tuple(names), tuple(copies))


def plain_copies(files: Sequence[RuleFile], folder: Path) -> tuple[str, ...]:
    """Write ``files`` into ``folder`` as this promtool can read them; return their names there."""
    names = [f"{index}.rules.yml" for index in range(len(files))]
    for name, file in zip(names, files, strict=True):
        (folder / name).write_text(write_rules(_plain(file), str(file.path)), encoding="utf-8")
    return tuple(names)


def written_beside(test: Path, text: str) -> Path:
    """Write ``text`` under another name into the folder of ``test``, to be tried there; the caller removes it."""
    with tempfile.NamedTemporaryFile(
        "w", dir=test.parent, prefix=f".{test.name}.", suffix=".yml", delete=False, encoding="utf-8"
    ) as stream:
        stream.write(text)
    return Path(stream.name)


def _readable(path: Path) -> bool:
    if not path.is_file() or _PATTERN & set(str(path)):
        return False
    try:
        promtool.check(path)
    except PromtoolRefused:
        return False
    return True


def _plain(file: RuleFile) -> RuleFile:
    groups: tuple[RuleGroup, ...] = tuple(replace(group, query_offset_s=None, labels={}) for group in file.groups)
    return replace(file, groups=groups)
