"""What can go wrong with a bundle for rooms without internet. Each error builds its own message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stack.errors import StackError


class KitError(StackError):
    """Base of the errors about bundles."""


class OutTaken(KitError):  # noqa: N818 - reads as a fact where it is raised
    """The folder that was named for a bundle exists already."""

    def __init__(self, out: Path) -> None:
        super().__init__(f"{out} exists already and stays as it is; name another folder, or delete it first")


class OutBusy(KitError):  # noqa: N818 - as above
    """Another process makes a bundle in the same place."""

    def __init__(self, out: Path) -> None:
        super().__init__(f"another process is making a bundle at {out}; wait for it, or name another folder")


class NoCheckout(KitError):  # noqa: N818 - as above
    """Firedrill runs from an installed package, which has no launcher to take along."""

    def __init__(self, root: Path, missing: Sequence[str]) -> None:
        super().__init__(
            f"a bundle is made from a checkout of the project, and {root} has no {', '.join(missing)}; "
            "clone or unpack the project, and run ./firedrill bundle there"
        )


class NoRoom(KitError):  # noqa: N818 - as above
    """The disk is too full."""

    def __init__(self, out: Path, free_mb: float, needed_mb: float) -> None:
        super().__init__(
            f"{out} has {free_mb:.0f} MB free, and a bundle takes about {needed_mb:.0f} MB while it is made"
        )


class WheelsMissing(KitError):  # noqa: N818 - as above
    """pip could not fetch all wheels."""

    def __init__(self, reason: str, part: Path) -> None:
        super().__init__(
            f"pip could not fetch the wheels: {reason}. What has come so far lies in {part}; "
            "the same command goes on from there"
        )


class ProgramsMissing(KitError):  # noqa: N818 - as above
    """A program could not be fetched for the bundle."""

    def __init__(self, name: str, tried: Sequence[str], part: Path) -> None:
        super().__init__(
            f"{name} could not be fetched for the bundle ({'; '.join(tried)}). The wheels lie in {part}; "
            "the same command goes on from there"
        )


class KitDamaged(KitError):  # noqa: N818 - as above
    """What was made does not hold."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the bundle does not hold: " + "; ".join(problems))
