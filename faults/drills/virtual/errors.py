"""What can go wrong with a virtual drill. Every subclass takes facts and builds its own message.

DrillError
└── VirtualError
    ├── NotVirtual        a kind of fault that a virtual world cannot have
    ├── NotLit            a fault that the world refused, or that could not be brought about
    ├── NotTrained        a model without an artifact, and no way to make one
    ├── UnknownNames      a dialect that there is not, or traffic for models that are not served
    ├── BranchFailed      a world that parted from others and could not be recorded
    ├── TrunkLost         the process that worlds part from is gone
    ├── NothingAhead      the world waits for something that will never come: a defect
    └── ThreadAsked       something asked for a thread or a socket: a defect
"""

from __future__ import annotations

from faults.drills.errors import DrillError


class VirtualError(DrillError):
    """Base of all errors of virtual drills."""


class NotVirtual(VirtualError):  # noqa: N818 - reads as a fact where it is raised
    """A kind of fault has no meaning on a virtual clock."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(f"{kind} cannot burn on a virtual clock: {reason}; run it live (`firedrill drill run`)")


class NotLit(VirtualError):  # noqa: N818 - as above
    """A fault of a scenario did not burn."""

    def __init__(self, scenario: str, kind: str, reason: str) -> None:
        self.scenario, self.kind, self.reason = scenario, kind, reason
        super().__init__(f"{scenario}: {kind} could not be lit: {reason}")


class NotTrained(VirtualError):  # noqa: N818 - as above
    """A model has no artifact, and training it failed."""

    def __init__(self, model: str, reason: str) -> None:
        self.model, self.reason = model, reason
        super().__init__(f"the model {model} has no artifact and cannot be trained: {reason}; see `firedrill train`")


class UnknownNames(VirtualError):  # noqa: N818 - as above
    """A scenario names what there is not."""

    def __init__(self, scenario: str, reason: str) -> None:
        self.scenario, self.reason = scenario, reason
        super().__init__(f"{scenario}: {reason}")


class BranchFailed(VirtualError):  # noqa: N818 - as above
    """A branch of a world could not be recorded; the reason is that of another error, as text."""


class TrunkLost(VirtualError):  # noqa: N818 - as above
    """The process from which worlds part, or one that parted, ended unasked."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"a process that shares the calm of several scenarios is gone: {reason}")


class NothingAhead(VirtualError):  # noqa: N818 - as above
    """Every task of a virtual world waits, and no timer is left that could end that."""

    def __init__(self, at_s: float) -> None:
        self.at_s = at_s
        super().__init__(f"the virtual world stands still at {at_s:g} s: all tasks wait and nothing is scheduled")


class ThreadAsked(VirtualError):  # noqa: N818 - as above
    """Code on a virtual clock asked for a thread, which would run beside that clock."""

    def __init__(self, function: str) -> None:
        self.function = function
        super().__init__(f"{function} asked for a thread; on a virtual clock all work is done in the event loop")
