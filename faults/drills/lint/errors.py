"""What can go wrong before a rule can be checked. Every subclass takes facts and builds its own message.

DrillError
└── LintError
    ├── UnreadableExpression    not PromQL, or too much of it
    ├── UnreadableInventory     not an exposition
    └── NoSuchDialect           a name that no dialect has
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.errors import DrillError


class LintError(DrillError):
    """Base of everything that keeps a rule from being checked."""


@dataclass(frozen=True)
class Position:
    """A place in an expression, counted from 1; ``near`` is the word or sign that stands there, empty at the end."""

    line: int
    column: int
    near: str


class UnreadableExpression(LintError):  # noqa: N818 - reads as a fact where it is raised
    """An expression is not PromQL, or too much of it to be read."""

    def __init__(self, expr: str, reason: str, position: Position) -> None:
        self.expr, self.reason, self.position = expr, reason, position
        near = f", at `{position.near}`" if position.near else ", at its end"
        super().__init__(f"line {position.line}, column {position.column} of the expression{near}: {reason}")


class UnreadableInventory(LintError):  # noqa: N818 - as above
    """A text that was to say which metrics there are is no exposition. ``line`` counts from 1; 0 is the whole text."""

    def __init__(self, source: str, line: int, reason: str) -> None:
        self.source, self.line, self.reason = source, line, reason
        where = f"{source}:{line}" if line else source
        super().__init__(
            f"{where}: {reason}; expected what an endpoint /metrics answers with, "
            "in Prometheus's text format or in OpenMetrics"
        )


class NoSuchDialect(LintError):  # noqa: N818 - as above
    """No dialect has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        super().__init__(f"there is no dialect {name!r}; expected one of {', '.join(known)}, or none")
