"""What can go wrong with rules. Every subclass takes facts and builds its own message.

StackError
└── RuleError
    ├── BadDuration             not a Prometheus duration
    ├── BadRuleFile             a rule file that cannot be read as one
    ├── UnscalableExpression    an expression that means something else at another pace
    └── PromtoolRefused         promtool found fault with a file
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack.errors import StackError


class RuleError(StackError):
    """Base of everything that can be wrong with a rule."""


class BadDuration(RuleError):  # noqa: N818 - reads as a fact where it is raised
    """A text is not a Prometheus duration, or a number of seconds cannot be written as one."""

    def __init__(self, given: object, reason: str) -> None:
        self.given, self.reason = given, reason
        super().__init__(f"{given!r} is not a duration: {reason}; write it as 30s, 5m, 1h30m or 250ms")


class BadRuleFile(RuleError):  # noqa: N818 - as above
    """A rule file does not have the form that Prometheus expects. ``line`` counts from 1; 0 is the whole file."""

    def __init__(self, path: Path, line: int, found: str, expected: str, *, column: int = 0) -> None:
        self.path, self.line, self.column, self.found, self.expected = path, line, column, found, expected
        where = ":".join(str(part) for part in (path, line, column) if part)
        super().__init__(f"{where}: {found}; expected {expected}")


class UnscalableExpression(RuleError):  # noqa: N818 - as above
    """An expression cannot be brought to another pace without changing what it says."""

    def __init__(self, expr: str, reason: str, rule: str = "") -> None:
        self.expr, self.reason, self.rule = expr, reason, rule
        whose = f" of rule {rule}" if rule else ""
        super().__init__(
            f"the expression{whose} cannot change its pace: {reason}; run it at pace production, in: {expr}"
        )


class PromtoolRefused(RuleError):  # noqa: N818 - as above
    """Promtool ran and found fault with a file, or did not end in time."""

    def __init__(self, task: str, paths: Sequence[Path], output: str) -> None:
        self.task, self.paths, self.output = task, tuple(paths), output
        super().__init__(f"promtool {task} refused {', '.join(map(str, paths))}:\n{output.strip()}")
