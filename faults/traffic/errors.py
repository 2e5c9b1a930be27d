"""What can go wrong with traffic. Every subclass takes facts and builds its own message.

FaultError
└── TrafficError
    ├── BadTrafficSettings     settings that cannot be sent
    ├── BadModelInfo           the service describes its models in a way that gives no inputs
    ├── BadTrafficStart        an environment variable or argument that the process cannot start with
    ├── NotSent                a request that never reached the service
    └── NoAnswer               a request that reached it and was never answered
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from faults.errors import FaultError


class TrafficError(FaultError):
    """Base of the generator's errors."""


class BadTrafficSettings(TrafficError):  # noqa: N818 - reads as a fact where it is raised
    """Settings were asked for that cannot be sent."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"traffic settings refused: {'; '.join(self.problems)}")


class BadModelInfo(TrafficError):  # noqa: N818 - as above
    """The service's description of its models is not usable."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"{url} gives no inputs to send ({reason}); traffic needs /model-info of a Firedrill service")


class BadTrafficStart(TrafficError):  # noqa: N818 - as above
    """The process was started with a value that it cannot use."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")


class NotSent(TrafficError):  # noqa: N818 - as above
    """No connection came about, so the service never saw the request."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"nothing accepts connections at {address} ({reason})")


class NoAnswer(TrafficError):  # noqa: N818 - as above
    """The request was sent, and the connection ended without a complete answer."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address} gave no complete answer ({reason})")


def problems(error: ValidationError) -> list[str]:
    """Return what pydantic found, one plain sentence each: where, and what is wrong."""
    found = error.errors(include_url=False, include_context=False)
    return [f"{'.'.join(map(str, problem['loc'])) or 'body'}: {problem['msg']}" for problem in found]
