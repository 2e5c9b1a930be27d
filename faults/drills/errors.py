"""What can go wrong with drills. Every subclass takes facts and builds its own message.

DrillError
├── BadDrill              a drill file that says something it cannot mean
├── UnknownDrill
├── UnknownRun
├── DrillRunning          one drill at a time
├── FaultsActive          a drill wants a service that nothing else burns
├── StillUndoing          what an earlier run changed is not put back yet
├── BadNotification       something else than Alertmanager's webhook payload
├── JournalUnusable
├── HistoryFailed         Prometheus cannot be given the synthetic history of a drill
└── ControlError          the service's control endpoint, or the traffic generator
    ├── ControlUnreachable
    ├── ControlRefused
    ├── PartlyLit         some replicas took a fault and some did not
    └── PartlyOut         not every place could be told to put its faults out
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from faults.base import FaultRecord
from faults.errors import FaultError


class DrillError(FaultError):
    """Base of all errors of drills."""


class BadDrill(DrillError):  # noqa: N818 - reads as a fact where it is raised
    """A drill file was refused; ``problems`` has one sentence for each thing that is wrong with it."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.source, self.problems = source, tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{source} is not a drill that can run:{listed}")


class UnknownDrill(DrillError):  # noqa: N818 - as above
    """The library has no drill of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        library = ", ".join(sorted(known)) or "nothing beside an app of your own; run a drill file of yours"
        super().__init__(f"no drill named {name!r}; the library has: {library}")


class UnknownRun(DrillError):  # noqa: N818 - as above
    """No run of a drill has that id."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"no drill run with id {run_id!r}; `firedrill drill runs` shows the known ones")


class DrillRunning(DrillError):  # noqa: N818 - as above
    """A drill was asked for while another one runs."""

    def __init__(self, name: str, run_id: str) -> None:
        self.name, self.run_id = name, run_id
        super().__init__(f"drill {name!r} (run {run_id}) is still running; wait for its end or abort it")


class FaultsActive(DrillError):  # noqa: N818 - as above
    """A drill was asked for while faults of someone else are active."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            f"already burning: {', '.join(self.faults)}; a drill needs a service without other faults, "
            "put them out first (`firedrill fault reset`)"
        )


class StillUndoing(DrillError):  # noqa: N818 - as above
    """A drill was asked for while the changes of an earlier run are still being undone."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"what drill run {run_id} changed is still being undone; try again in a moment, or see `firedrill status`"
        )


class BadNotification(DrillError):  # noqa: N818 - as above
    """A body came to the webhook that is not Alertmanager's payload."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"not a webhook payload of Alertmanager (version 4): {problem}")


class JournalUnusable(DrillError):  # noqa: N818 - as above
    """The journal can be neither opened nor made."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"the journal {path} cannot be used: {reason}; see that its folder is writable and not full")


class HistoryFailed(DrillError):  # noqa: N818 - as above
    """The synthetic history of a drill cannot be put into Prometheus's storage."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the drill's history cannot be supplied: {reason}")


class ControlError(DrillError):
    """A control endpoint did not do what was asked."""


class ControlUnreachable(ControlError):  # noqa: N818 - as above
    """Nothing answers at a control endpoint, or not in time."""

    def __init__(self, what: str, url: str, reason: str) -> None:
        self.what, self.url, self.reason = what, url, reason
        super().__init__(f"{what} is unreachable at {url} ({reason}); see `firedrill status`")


class ControlRefused(ControlError):  # noqa: N818 - as above
    """A control endpoint answered, and refused; its own message is passed on."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        self.status, self.kind, self.message = status, kind, message
        super().__init__(message)


class PartlyLit(ControlError):  # noqa: N818 - as above
    """A fault was lit on some replicas only and put out again; ``burning`` are those where it may still act."""

    def __init__(self, replicas: int, failed: Iterable[str], burning: Iterable[str]) -> None:
        self.failed, self.burning = tuple(failed), tuple(burning)
        rest = "it was put out again on the others"
        if self.burning:
            rest = f"it may still burn on replica {', '.join(self.burning)} until its time to live ends it"
        super().__init__(f"not lit on {len(self.failed)} of {replicas} replicas ({'; '.join(self.failed)}); {rest}")


class PartlyOut(ControlError):  # noqa: N818 - as above
    """Everything was to be put out, and some places could not be told. ``ended``: what was put out at the others."""

    def __init__(self, ended: Iterable[FaultRecord], silent: Iterable[ControlError]) -> None:
        self.ended, self.silent = tuple(ended), tuple(silent)
        reasons = "; ".join(str(error) for error in self.silent)
        super().__init__(
            f"{len(self.ended)} put out; {reasons}. What still burns there ends by its own time to live, "
            "or for want of a heartbeat"
        )
