"""The pages of docs/checks as values: the rules that they show, the metrics they presume, and the cases they tried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from faults.drills.lint.finding import Finding
from faults.drills.lint.inventory import Inventory, read_inventory
from faults.drills.lint.lint import lint
from stack.rules.read import RuleFile, read_rules

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "checks"


@dataclass(frozen=True)
class Case:
    """Some series, and which of the rules fire at the end of them."""

    told: str
    series: Mapping[str, str]
    at: str
    bad: str
    good: str


@dataclass(frozen=True)
class CheckPage:
    """One page."""

    name: str
    text: str

    def block(self, heading: str) -> str:
        """Return the code block under ``heading``, empty where there is none."""
        found = re.search(rf"^## {heading}\n\n```\w+\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        return found.group(1) if found else ""

    def rules(self, heading: str) -> RuleFile:
        """Return the rules under ``heading``, read as a file of their own."""
        listed = yaml.safe_load(self.block(heading))
        return read_rules(yaml.safe_dump({"groups": [{"name": "shown", "rules": listed}]}), Path(f"{self.name}.yml"))

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Return the cases that the page says were tried."""
        listed: list[dict[str, Any]] = yaml.safe_load(self.block("Tried"))
        return tuple(
            Case(one["case"], {k: str(v) for k, v in one["series"].items()}, one["at"], one.get("bad", ""), one["good"])
            for one in listed
        )

    @cached_property
    def inventory(self) -> Inventory | None:
        """Return the metrics that the page presumes to be known, declared complete."""
        text = self.block("Known metrics")
        return read_inventory(text, "the metrics of the page", complete=True) if text else None

    def findings(self, heading: str) -> tuple[Finding, ...]:
        """Return what is found in the rules under ``heading``."""
        return lint([self.rules(heading)], inventory=self.inventory)


def pages() -> list[CheckPage]:
    """Return all pages but the table of them."""
    return [
        CheckPage(path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.glob("*.md"))
        if path.name != "README.md"
    ]
