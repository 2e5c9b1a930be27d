"""What can go wrong with a check. Every subclass takes facts and builds its own message.

DrillError
└── CheckError
    ├── NoSuchRules        no file where rules were said to be
    ├── BadRules           rules that Prometheus would not load; every problem with its place
    ├── NoAlerts           rules that alert of nothing
    ├── NothingToTry       a fault that is none, or that runs live only
    ├── BadInventory       a file of metrics that cannot be read as one
    ├── UnknownFailOn      something that no check fails on
    ├── NoPrometheus       nothing at an address, or no Prometheus
    └── NothingRecorded    a Prometheus that has nothing of the time that was asked for
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from faults.drills.errors import DrillError


class CheckError(DrillError):
    """Base of all errors of checks."""


class NoSuchRules(CheckError):  # noqa: N818 - reads as a fact where it is raised
    """A path or pattern leads to no file."""

    def __init__(self, pattern: str, reason: str) -> None:
        self.pattern, self.reason = pattern, reason
        super().__init__(f"{pattern}: {reason}; name rule files, folders, or patterns such as 'rules/*.yml'")


class BadRules(CheckError):  # noqa: N818 - as above
    """Rule files were refused; ``problems`` has a line for each thing that is wrong, with file, line and column."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"Prometheus would not load these rules:{listed}")


class NoAlerts(CheckError):  # noqa: N818 - as above
    """There is no alerting rule in what was given."""

    def __init__(self, paths: Sequence[Path], recordings: int) -> None:
        self.paths, self.recordings = tuple(paths), recordings
        has = f"only {recordings} recording rules" if recordings else "no rules at all"
        super().__init__(
            f"there is no alert to check: {', '.join(map(str, paths))} have {has}; name a file with `alert:`"
        )


class NothingToTry(CheckError):  # noqa: N818 - as above
    """A fault was named that cannot be tried."""

    def __init__(self, name: str, known: Sequence[str], *, live_only: bool) -> None:
        self.name = name
        if live_only:
            message = f"{name} cannot be tried on a virtual clock; run a live drill with it (`firedrill drill list`)"
        else:
            close = difflib.get_close_matches(name, known, n=2)
            meant = f"; did you mean {' or '.join(close)}?" if close else ""
            message = f"no fault named {name!r}{meant} There are: {', '.join(known)}"
        super().__init__(message)


class BadInventory(CheckError):  # noqa: N818 - as above
    """What should list metrics does not."""

    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(
            f"{source} is no list of metrics: {reason}; save what a target answers on /metrics, and name that file"
        )


class NoPrometheus(CheckError):  # noqa: N818 - as above
    """There is no Prometheus at an address that answers as one."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"no Prometheus answers at {url}: {reason}; give the address that its own pages have")


class NothingRecorded(CheckError):  # noqa: N818 - as above
    """A Prometheus holds nothing of the range that was asked for."""

    def __init__(self, url: str, since: str) -> None:
        self.url, self.since = url, since
        super().__init__(f"Prometheus at {url} has no series in the last {since}; ask for a longer time by --since")


class UnknownFailOn(CheckError):  # noqa: N818 - as above
    """Something was given to ``--fail-on`` that it does not know."""

    def __init__(self, word: str, known: Sequence[str], meant: str, *, reason: str = "") -> None:
        self.word = word
        why = reason or "that is none of what a check can fail on"
        hint = f"; did you mean {meant}?" if meant else ""
        super().__init__(f"--fail-on {word}: {why}{hint} Known are: {', '.join(known)}")
