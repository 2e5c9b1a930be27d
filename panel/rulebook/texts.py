"""Rule files as they were pasted, uploaded or edited, by their content: who has the id sees the same text.

Kept in memory, and only so many; a panel that starts anew knows none of them.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath

from panel.rulebook.errors import NotText, TextTooLong

MOST_BYTES = 2 * 2**20
"""Of one text."""
LIMIT = 48
ID_CHARS = 16
NAME = "rules.yml"
"""What a text is called that has no name."""
SUFFIXES = (".yml", ".yaml", ".rules")


@dataclass(frozen=True)
class RuleText:
    """One rule file: what it is called, and what stands in it."""

    name: str
    body: str

    @cached_property
    def id(self) -> str:
        """What names this text, with its name, in an address."""
        return hashlib.sha256(f"{self.name}\0{self.body}".encode()).hexdigest()[:ID_CHARS]

    def line(self, number: int) -> str:
        """Return a line of the text, from 1; empty where there is none."""
        lines = self.body.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""


def named(name: str, body: str) -> RuleText:
    """Return a text under a name that can be a file's; raise ``TextTooLong``."""
    size = len(body.encode(errors="replace"))
    plain = "".join(sign for sign in PurePath(name.replace("\\", "/")).name if sign.isalnum() or sign in "._-")
    plain = plain.strip(".") or NAME
    if not plain.endswith(SUFFIXES):
        plain = f"{plain}.yml"
    if size > MOST_BYTES:
        raise TextTooLong(plain, size, MOST_BYTES)
    return RuleText(plain[-80:], body.replace("\r\n", "\n"))


def uploaded(name: str, content: bytes) -> RuleText:
    """Return what somebody uploaded; raise ``TextTooLong`` and ``NotText``."""
    if len(content) > MOST_BYTES:
        raise TextTooLong(name, len(content), MOST_BYTES)
    try:
        return named(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise NotText(name) from None


class Texts:
    """The texts that are kept; the least recently used ones are forgotten."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._texts: OrderedDict[str, RuleText] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, text: RuleText) -> str:
        """Keep ``text`` and return its id."""
        with self._lock:
            self._texts[text.id] = text
            self._texts.move_to_end(text.id)
            if len(self._texts) > self._limit:
                self._texts.popitem(last=False)
        return text.id

    def get(self, text_id: str) -> RuleText | None:
        """Return the text of that id; ``None`` where it is not, or no longer, known."""
        with self._lock:
            if text_id in self._texts:
                self._texts.move_to_end(text_id)
            return self._texts.get(text_id)
