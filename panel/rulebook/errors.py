"""What can go wrong with rules that are brought to the panel. Every subclass takes facts and builds its own message.

RulebookError
├── TextTooLong      more than is read
├── NotText          an uploaded file that is no text
└── RepairRefused    repaired rules that Prometheus would not load
"""

from __future__ import annotations


class RulebookError(Exception):
    """Base of all errors of this package."""


class TextTooLong(RulebookError):  # noqa: N818 - reads as a fact where it is raised
    """A rule file is larger than the panel takes."""

    def __init__(self, name: str, size: int, limit: int) -> None:
        self.name, self.size, self.limit = name, size, limit
        super().__init__(
            f"{name} has {size / 2**20:.1f} MiB, and the panel takes {limit / 2**20:.0f}: divide it, or use "
            "`firedrill check` in a terminal"
        )


class NotText(RulebookError):  # noqa: N818 - as above
    """An uploaded file cannot be read as text."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is no text in UTF-8: upload a Prometheus rule file (YAML)")


class RepairRefused(RulebookError):  # noqa: N818 - as above
    """The repairs, put into the file, make one that cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"the repairs could not be put into {name} ({reason}): change the expressions by hand")
