"""What can go wrong with faults. Every subclass takes facts and builds its own message.

FaultError
├── UnknownFaultKind
├── UnknownFault
├── BadFaultRequest        parameters, target, probability or time to live out of bounds
├── FaultNotApplied        the fault could not be brought about; nothing of it remains
├── FaultUnavailable       this process offers no seam for it, or the operator forbids it
├── BadLimits              a file of the operator's limits that says something it cannot mean
└── (kinds, clients and processes add theirs beside the code that raises them)
"""

from __future__ import annotations

from collections.abc import Iterable


class FaultError(Exception):
    """Base of all errors of this package."""


class UnknownFaultKind(FaultError):  # noqa: N818 - reads as a fact where it is raised
    """No fault of that kind is registered."""

    def __init__(self, kind: str, known: Iterable[str]) -> None:
        self.kind = kind
        super().__init__(f"unknown fault kind {kind!r}; known kinds: {', '.join(sorted(known))}")


class UnknownFault(FaultError):  # noqa: N818 - as above
    """No fault with that id was ever applied here."""

    def __init__(self, fault_id: str) -> None:
        self.fault_id = fault_id
        super().__init__(f"no fault with id {fault_id!r}; `firedrill fault list` shows the known ones")


class BadFaultRequest(FaultError):  # noqa: N818 - as above
    """A fault was asked for with values it does not take."""

    def __init__(self, kind: str, problems: Iterable[str]) -> None:
        self.kind, self.problems = kind, tuple(problems)
        super().__init__(f"fault {kind!r} refused: {'; '.join(self.problems)}")


class FaultNotApplied(FaultError):  # noqa: N818 - as above
    """A fault failed while it was being applied and was taken back."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(f"fault {kind!r} could not be applied and was taken back: {reason}")


class FaultUnavailable(FaultError):  # noqa: N818 - as above
    """The process that this injector is attached to does not offer what the fault needs."""

    def __init__(self, kind: str, because: str) -> None:
        self.kind, self.because = kind, because
        super().__init__(f"fault {kind!r} is unavailable here: {because}")


class BadLimits(FaultError):  # noqa: N818 - as above
    """The operator's limits were refused; ``problems`` has one sentence for each thing that is wrong with them."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source, self.problems = source, tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"the limits in {source} cannot be used; correct or remove the file (docs/limits.md):{listed}")
