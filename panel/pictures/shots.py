"""What is to be taken: which page, how wide, light or dark, and what its file is called. Pure values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from urllib.parse import parse_qsl, urlencode

from panel.pictures.errors import UnknownPage

Theme = Literal["light", "dark"]
WIDTH_PX, LEAST_PX, MOST_PX = 1280, 320, 3840
PHONE_PX = 390
_NAMELESS = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class PanelPage:
    """A page of the panel: ``name`` on the command line, ``path`` in its address, ``title`` where it has no heading."""

    name: str
    path: str
    title: str


@dataclass(frozen=True)
class Shot:
    """One picture. ``query`` is what stands in the page's address, such as a time range."""

    page: PanelPage
    theme: Theme = "light"
    width: int = WIDTH_PX
    phone: bool = False
    caption: str = ""
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @property
    def address(self) -> str:
        """The page's address below that of the panel."""
        return f"/{self.page.path}" + (f"?{urlencode(self.query)}" if self.query else "")

    @property
    def file_name(self) -> str:
        """The name of its file: the same for the same page, look and address."""
        said = [f"{name}-{value}" for name, value in self.query.items()]
        parts = (self.page.name, *said, "phone" if self.phone else "", self.theme)
        return "-".join(_NAMELESS.sub("-", part).strip("-") for part in parts if part) + ".png"


def page_named(given: str, pages: Iterable[PanelPage]) -> tuple[PanelPage, dict[str, str]]:
    """Return the page that is meant by ``alerts`` or ``alerts?alert=NAME``, and its query. Raises ``UnknownPage``."""
    known = tuple(pages)
    name, _, query = given.strip().strip("/").partition("?")
    for page in known:
        if name.lower() in {page.name, page.path.lower() or page.name, page.title.lower()}:
            return page, dict(parse_qsl(query))
    raise UnknownPage(given, (page.name for page in known))
