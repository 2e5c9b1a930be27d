"""What can be wrong with what a user brings. Every subclass takes facts and builds its own message.

StackError
└── OwnError
    ├── RulesMissing            a file or a pattern that leads to no file
    ├── RulesNeeded             an option that says nothing without rules
    ├── UnknownDialect          no dialect of that name
    ├── BadDialect              a file that is no dialect
    ├── RuleRefused             a rule file that Prometheus refuses, or a rule that cannot change its pace
    ├── AlertmanagerRefused     a configuration that cannot be read, or that Alertmanager refuses
    ├── AppNeeded               an option about an app of one's own without any
    ├── NotWithApp              an option that says nothing about an app of one's own
    ├── BadAppOption            an address, a path, a job or a request that is none
    ├── AppUnreachable          nothing answers where the app should be
    ├── AppMetricsUnusable      the app answers, but not with metrics
    ├── ControlNotAttached      nothing answers where the app's control endpoint should be
    └── ControlTokenRefused     the control endpoint does not take this stack's token
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stack.errors import StackError


class OwnError(StackError):
    """Base of everything that can be wrong with what a user brings."""


class RulesMissing(OwnError):  # noqa: N818 - reads as a fact where it is raised
    """There is no such file, or nothing fits a pattern."""

    def __init__(self, option: str, given: str) -> None:
        what = "no file fits this pattern" if any(mark in given for mark in "*?[") else "there is no such file"
        super().__init__(f"{option} {given}: {what}; nothing was started")


class RulesNeeded(OwnError):  # noqa: N818 - as above
    """An option about the user's rules came without any."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} is about rules of your own; name them with --rules FILE")


class UnknownDialect(OwnError):  # noqa: N818 - as above
    """No dialect has that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"--dialect {name}: there is no such dialect; it is one of: {', '.join(sorted(known))}, or a file of yours "
            f"(NAME.yaml, see docs/dialects.md)"
        )


class BadDialect(OwnError):  # noqa: N818 - as above
    """A file is not a dialect."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}; docs/dialects.md describes such a file")


class RuleRefused(OwnError):  # noqa: N818 - as above
    """Prometheus would refuse a rule file, or one of its rules has no exact counterpart at this pace."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}; {remedy}; nothing was started")


class AlertmanagerRefused(OwnError):  # noqa: N818 - as above
    """Alertmanager would refuse its configuration."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}; expected an Alertmanager configuration; nothing was started")


class AppNeeded(OwnError):  # noqa: N818 - as above
    """An option about the user's app came without any."""

    def __init__(self, option: str) -> None:
        super().__init__(f"{option} is about an app of your own; name it with --app URL")


class NotWithApp(OwnError):  # noqa: N818 - as above
    """An option about Firedrill's own service came with an app in its place."""

    def __init__(self, option: str, because: str) -> None:
        super().__init__(f"{option} does not go with --app: {because}")


class BadAppOption(OwnError):  # noqa: N818 - as above
    """An option about the user's app has a value that is none."""

    def __init__(self, option: str, given: str, expected: str) -> None:
        super().__init__(f"{option} {given!r}: expected {expected}")


class AppUnreachable(OwnError):  # noqa: N818 - as above
    """Nothing answers at the app's address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"--app {url}: nothing answers there ({reason}); start your app first; nothing was started")


class AppMetricsUnusable(OwnError):  # noqa: N818 - as above
    """What the app answers at its metrics path is of no use to Prometheus."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} gives no metrics: {reason}; name the path that yours are at with --app-metrics; nothing was started"
        )


class ControlNotAttached(OwnError):  # noqa: N818 - as above
    """The app has no control endpoint, or not there."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"no fault control endpoint at {url} ({reason}); put `app = attach(app)` into your app, start it with "
            f"FIREDRILL_FAULTS=on, and name another address with --app-control; nothing was started"
        )


class ControlTokenRefused(OwnError):  # noqa: N818 - as above
    """The app's control endpoint has another token."""

    def __init__(self, url: str, home: str) -> None:
        super().__init__(
            f"the fault control endpoint at {url} refuses the token of {home}; start the app with "
            f"FIREDRILL_HOME={home}, or with that token as FIREDRILL_TOKEN; nothing was started"
        )
