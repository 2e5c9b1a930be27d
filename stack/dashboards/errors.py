"""What can go wrong with a dashboard. Every subclass takes facts and builds its own message.

StackError
└── DashboardError
    ├── BadDashboard         a file that is no dashboard of the kind that is kept here
    ├── UnknownVariable      an expression names a variable that nobody gives a value
    └── UnknownFormat        an expression asks for a variable in a form that is not known
"""

from __future__ import annotations

from pathlib import Path

from stack.errors import StackError


class DashboardError(StackError):
    """Base of everything that can be wrong with a dashboard."""


class BadDashboard(DashboardError):  # noqa: N818 - reads as a fact where it is raised
    """A file does not have the form that Grafana and the panel expect; ``where`` is a path inside its JSON."""

    def __init__(self, path: Path, where: str, found: str, expected: str) -> None:
        self.path, self.where, self.found, self.expected = path, where, found, expected
        super().__init__(f"{path}: {f'{where}: ' if where else ''}{found}; expected {expected}")


class UnknownVariable(DashboardError):  # noqa: N818 - as above
    """An expression names a variable that has no value here."""

    def __init__(self, name: str, expr: str, known: tuple[str, ...]) -> None:
        self.name, self.expr = name, expr
        super().__init__(f"${name} has no value in {expr!r}; expected one of {', '.join(known) or 'none at all'}")


class UnknownFormat(DashboardError):  # noqa: N818 - as above
    """An expression asks for a variable in a form that is not known."""

    def __init__(self, name: str, form: str, expr: str) -> None:
        self.name, self.form, self.expr = name, form, expr
        super().__init__(f"${{{name}:{form}}} in {expr!r}: expected the form regex, pipe or raw, or none")
