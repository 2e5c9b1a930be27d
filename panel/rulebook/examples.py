"""The rule files that ship with Firedrill, to begin with: its own rules, and those of the reference systems."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from panel.rulebook.texts import RuleText
from stack.component import ROOT
from stack.own.dialects import BUILT_IN

_CONFIG = ROOT / "stack" / "config" / "prometheus"
_GROUPS = "groups:\n"


@dataclass(frozen=True)
class Example:
    """One rule file, and under which names its metrics are scraped."""

    key: str
    title: str
    dialect: str
    paths: tuple[Path, ...]

    @property
    def text(self) -> RuleText:
        """Return the text; several files as one, whose groups stand below each other."""
        return RuleText(f"{self.key}.yml", _joined(self.paths))


@cache
def examples() -> dict[str, Example]:
    """Return all examples by their key, in the order in which they are shown."""
    own = tuple(sorted((_CONFIG / "rules").glob("*.yml")))
    found = [Example("firedrill", "Firedrill: all its rules", "", own)]
    found += [Example(f"firedrill-{path.stem}", f"Firedrill: {path.stem}", "", (path,)) for path in own]
    dialects = {path.stem for path in BUILT_IN.glob("*.yaml")}
    found += [
        Example(path.stem, f"Reference system {path.stem}", path.stem if path.stem in dialects else "", (path,))
        for path in sorted((_CONFIG / "examples").glob("*.yml"))
    ]
    return {one.key: one for one in found}


def _joined(paths: tuple[Path, ...]) -> str:
    """Return files, each of which is a list of groups, as one."""
    if len(paths) == 1:
        return paths[0].read_text(encoding="utf-8")
    parts = [path.read_text(encoding="utf-8").partition(_GROUPS) for path in paths]
    return _GROUPS + "\n".join("".join(f"  {line}\n" for line in head.splitlines()) + rest for head, _, rest in parts)
