"""What can go wrong with pictures. Every subclass takes facts and builds its own message.

PictureError
├── NoChromium     there is no browser that could take them
├── BrowserFailed  the browser ended, or said something unexpected
├── UnknownPage    a page that the panel does not have
├── PanelAway      nobody answers at the panel's address
├── LockedPanel    the panel asks for a password that was not given, or is wrong
├── NotReady       a page did not get ready in time
└── BadFolder      the pictures cannot be written
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from faults.errors import FaultError
from panel.access.store import PASSWORD


class PictureError(FaultError):
    """Base of all errors of this package."""


class NoChromium(PictureError):  # noqa: N818 - reads as a fact where it is raised
    """There is no browser that could take pictures."""

    def __init__(self) -> None:
        super().__init__(
            "pictures of pages are taken by Chromium, and there is none that runs: install it so that it is on PATH "
            "(`apt-get install chromium` on Debian, Chrome elsewhere), or name it in FIREDRILL_CHROMIUM. "
            "Single charts can be saved by the button on each, without it"
        )


class BrowserFailed(PictureError):  # noqa: N818 - as above
    """The browser ended, or said something unexpected."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Chromium did not do its part: {what}. Try again; `firedrill doctor` looks at this machine")


class UnknownPage(PictureError):  # noqa: N818 - as above
    """A page that the panel does not have."""

    def __init__(self, given: str, known: Iterable[str]) -> None:
        super().__init__(f"the panel has no page {given!r}; it has: {', '.join(known)}")


class PanelAway(PictureError):  # noqa: N818 - as above
    """Nobody answers at the panel's address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"the panel at {url} does not answer ({reason}); see `firedrill status`")


class LockedPanel(PictureError):  # noqa: N818 - as above
    """The panel asks for a password that was not given, or is wrong."""

    def __init__(self, url: str, *, given: bool) -> None:
        what = f"refused the password in {PASSWORD}" if given else f"asks for a password; give it in {PASSWORD}"
        super().__init__(f"the panel at {url} {what} (in the environment, never on the command line)")


class NotReady(PictureError):  # noqa: N818 - as above
    """A page did not get ready in time."""

    def __init__(self, page: str, waited_s: float) -> None:
        super().__init__(
            f"the page {page} was not ready after {waited_s:.0f} s; look at it in a browser, and try again"
        )


class BadFolder(PictureError):  # noqa: N818 - as above
    """The pictures cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"cannot write pictures into {folder}: {reason}; choose another folder with --out")
