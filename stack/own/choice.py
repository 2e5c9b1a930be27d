"""Turns what a user named on the command line into rules that a stack can be started with. It writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack.own.dialects import find_dialect
from stack.own.errors import RulesMissing, RulesNeeded
from stack.plan import OwnRules


def choose_own(patterns: Sequence[str], dialect: str | None, alertmanager: str | None) -> OwnRules | None:
    """Return the rules that ``patterns`` (files or globs) name, in the order given; ``None`` where there are none.

    ``dialect`` is a name or a file. Raises ``OwnError``.
    """
    if not patterns:
        for option, given in (("--dialect", dialect), ("--alertmanager-config", alertmanager)):
            if given is not None:
                raise RulesNeeded(option)
        return None
    rules = tuple(dict.fromkeys(path for pattern in patterns for path in _files("--rules", pattern)))
    found = find_dialect(dialect) if dialect is not None else None
    return OwnRules(
        rules=rules,
        dialect=found.name if found is not None else "",
        dialect_file=found.file if found is not None and found.brought else None,
        alertmanager=_files("--alertmanager-config", alertmanager)[0] if alertmanager is not None else None,
    )


def _files(option: str, pattern: str) -> list[Path]:
    """Return the files that ``pattern`` names: one of that name first, whatever letters it has, else those that fit."""
    place = Path(pattern).expanduser()
    if place.is_file():
        return [place.resolve()]
    found = sorted(path.resolve() for path in Path(place.anchor or ".").glob(_relative(place)) if path.is_file())
    if not found:
        raise RulesMissing(option, pattern)
    return found


def _relative(place: Path) -> str:
    return str(place.relative_to(place.anchor)) if place.anchor else str(place)
