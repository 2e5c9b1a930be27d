"""What can go wrong with an export. Every subclass takes facts and builds its own message.

DrillError
└── ExportError
    ├── NothingToExport   no sample or no alert that a test could be made of
    ├── NotExportable     promtool cannot be asked what this drill asks
    ├── NotAsDrilled      promtool sees another course of the alerts than the drill had
    └── TestsRefused      promtool does not pass what was made
"""

from __future__ import annotations

from collections.abc import Iterable

from faults.drills.errors import DrillError

MOST_LISTED = 10


class ExportError(DrillError):
    """Base of all errors of exports."""


class NothingToExport(ExportError):  # noqa: N818 - reads as a fact where it is raised
    """A drill left nothing that could be tested."""

    def __init__(self, drill: str, reason: str) -> None:
        self.drill, self.reason = drill, reason
        super().__init__(f"no unit test can be made of {drill}: {reason}")


class NotExportable(ExportError):  # noqa: N818 - as above
    """Something of a drill cannot be said in promtool's unit tests."""

    def __init__(self, drill: str, reason: str) -> None:
        self.drill, self.reason = drill, reason
        super().__init__(f"{drill} cannot be written as a unit test for promtool: {reason}")


class NotAsDrilled(ExportError):  # noqa: N818 - as above
    """promtool evaluates the rules on the same samples and finds other alerts."""

    def __init__(self, drill: str, differences: Iterable[str]) -> None:
        self.drill, self.differences = drill, tuple(differences)
        shown = "".join(f"\n  - {one}" for one in self.differences[:MOST_LISTED])
        more = len(self.differences) - MOST_LISTED
        rest = f"\n  and {more} more" if more > 0 else ""
        super().__init__(
            f"promtool does not see in the samples of {drill} what the drill saw, so that no test is written:"
            f"{shown}{rest}\nchoose other alerts with --alert, or see docs/export.md for what promtool cannot say"
        )


class TestsRefused(ExportError):  # noqa: N818 - as above
    """promtool ran the finished test file and did not pass it."""

    __test__ = False  # no test class, whatever it is called

    def __init__(self, drill: str, output: str) -> None:
        self.drill, self.output = drill, output
        super().__init__(
            f"promtool does not pass the tests made of {drill}, so that none are written:\n{output.strip()}"
        )
