"""What can go wrong with access. Every subclass takes facts and builds its own message.

AccessError
├── ReadOnly           somebody who reads along tried to act
├── PasswordTooShort   a chosen password that could be guessed
├── AccessUnreadable   the file of the password's hash cannot be read
└── BadOpening         an address, certificate or key that the panel cannot be opened with
"""

from __future__ import annotations

from pathlib import Path

from faults.errors import FaultError


class AccessError(FaultError):
    """Base of all errors of this package."""


class ReadOnly(AccessError):  # noqa: N818 - reads as a fact where it is raised
    """Somebody who reads along tried to light, put out, start, abort or change something."""

    def __init__(self) -> None:
        super().__init__("You are reading along: only the operator can do this")


class PasswordTooShort(AccessError):  # noqa: N818 - as above
    """A chosen password that could be guessed."""

    def __init__(self, shortest: int) -> None:
        super().__init__(
            f"the password of the panel has fewer than {shortest} characters; choose a longer one, "
            "or give none and have one made"
        )


class AccessUnreadable(AccessError):  # noqa: N818 - as above
    """The file of the password's hash cannot be read, or is none of ours."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used ({reason}); remove it and run `firedrill access --new-password`")


class BadOpening(AccessError):  # noqa: N818 - as above
    """An address, certificate or key that the panel cannot be opened with."""

    def __init__(self, variable: str, value: str, problem: str) -> None:
        super().__init__(f"{variable}={value}: {problem}")
