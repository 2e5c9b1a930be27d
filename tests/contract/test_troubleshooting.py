"""docs/troubleshooting.md, docs/production.md and docs/kubernetes.md name what the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from panel.cli import application
from service.errors import LoadFailure
from service.settings import Settings
from stack.configuration import RULES_DIR
from stack.rules.read import load_rules
from tests.contract.test_docs import commands

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("troubleshooting", "production", "kubernetes")
}
OTHERS = {"FIREDRILL", "KEY", "PATH", "ALERTS", "POST", "MODEL", "COMPONENT", "NAME", "SIGKILL", "APP_PORT"}
"""Words in capitals that are no settings of the service; whatever begins with the first is one of the stack's."""


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_a_page_names_exist(page: str) -> None:
    """Each variable in code is a setting of the service, or one of the stack's own."""
    named = set(re.findall(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)", PAGES[page]))
    assert {name for name in named if name.split("_")[0] not in OTHERS} <= {
        name.upper() for name in Settings.model_fields
    }


@pytest.mark.parametrize("page", PAGES)
def test_alerts_that_a_page_names_are_shipped(page: str) -> None:
    """Each name in italics that looks like an alert's is one."""
    shipped = {alert.name for path in RULES_DIR.glob("*.yml") for alert in load_rules(path).alerts}
    assert set(re.findall(r"(?<!\*)\*([A-Z][a-z]+(?:[A-Z][a-z]+)+)\*(?!\*)", PAGES[page])) <= shipped


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_a_page_names_exist(page: str) -> None:
    """Each `firedrill …` begins with a command."""
    known = set(commands(application()))
    for said in re.findall(r"`firedrill ([a-z][a-z ]*)", PAGES[page]):
        words = said.split()
        assert words[0] in known or " ".join(words[:2]) in known, said


def test_every_reason_for_a_failed_load_is_explained() -> None:
    """The table of reasons has those of the metric, all of them and no other."""
    section = PAGES["troubleshooting"].partition("## A model does not load")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) - {"reason"} == {
        each.value for each in LoadFailure
    }
