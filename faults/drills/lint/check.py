"""What a check is, and the table of them. A check looks at one rule and says what is wrong; it runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from faults.drills.lint.expression import Expr
from faults.drills.lint.facts import Facts
from faults.drills.lint.finding import Severity
from faults.drills.lint.proofs import Proof
from faults.drills.lint.watching import Watching
from stack.rules.file import AlertingRule, RecordingRule


@dataclass(frozen=True)
class Subject:
    """One rule, read, with all that is known around it."""

    rule: AlertingRule | RecordingRule
    root: Expr
    facts: Facts
    watching: Watching
    proof: Proof | None
    """That the expression never has a result, where that could be proved."""

    @property
    def is_alert(self) -> bool:
        """Whether it is an alert, and no recording."""
        return isinstance(self.rule, AlertingRule)

    @property
    def texts(self) -> str:
        """Return what the rule says of itself to people: its name and its annotations."""
        annotations = self.rule.annotations.values() if isinstance(self.rule, AlertingRule) else ()
        return "\n".join((self.rule.name, *annotations))

    def with_change(self, old: Expr, new: Expr) -> Expr:
        """Return the rule's expression with ``new`` in the place of ``old``."""
        return self.root.replaced(old, new)


@dataclass(frozen=True)
class Remark:
    """One thing that a check found in a rule."""

    node: Expr
    """The part of the expression that is meant."""
    message: str
    consequence: str
    repair: Expr | None = None
    """The whole expression as it would be right; ``None`` where that cannot be told."""
    severity: Severity | None = None
    """Where it is not the check's own."""


Finder = Callable[[Subject], Iterable[Remark]]


@dataclass(frozen=True)
class Check:
    """A mistake that can be told from a rule's text. docs/checks/NAME.md explains it."""

    name: str
    severity: Severity
    looks_for: str
    find: Finder = field(repr=False)


_CHECKS: dict[str, Check] = {}


def register(name: str, severity: Severity, looks_for: str) -> Callable[[Finder], Finder]:
    """Register the decorated function as the check ``name``; ``looks_for`` is the mistake in half a sentence."""

    def add(find: Finder) -> Finder:
        if name in _CHECKS:
            raise ValueError(f"there are two checks named {name!r}")
        _CHECKS[name] = Check(name, severity, looks_for, find)
        return find

    return add


def checks() -> Iterator[Check]:
    """Yield all checks by name."""
    from faults.drills.lint import checks as every_check  # noqa: F401, PLC0415 - they register when first asked for

    yield from (_CHECKS[name] for name in sorted(_CHECKS))
