"""What can go wrong when an app is attached to. Every subclass takes facts and builds its own message.

FaultError
└── AttachError
    ├── BadAttachSetting        an environment variable with a value that says nothing
    ├── TooLate                 the app serves already, so that nothing can be put into it
    └── ControlEndpointFailed   the control endpoint cannot listen; the app runs on without faults
"""

from __future__ import annotations

from faults.errors import FaultError


class AttachError(FaultError):
    """Base of the errors of attaching."""


class BadAttachSetting(AttachError):  # noqa: N818 - reads as a fact where it is raised
    """A setting has a value that says nothing."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(f"{name} is {value!r}; expected {expected}")


class TooLate(AttachError):  # noqa: N818 - as above
    """The app has built what it serves with."""

    def __init__(self) -> None:
        super().__init__("the app has begun to serve; call attach(app) where it is made, before its first request")


class ControlEndpointFailed(AttachError):  # noqa: N818 - as above
    """The control endpoint cannot be opened."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"no control endpoint at {address}: {reason}; one process of the app can have it: run one worker, "
            f"or choose another port with FIREDRILL_CONTROL_PORT"
        )
