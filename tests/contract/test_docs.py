"""The documentation says what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from panel.cli import application
from stack.endpoints import PORTS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])


def commands(group: typer.Typer, prefix: str = "") -> Iterator[str]:
    """Yield every command's name, sub-commands with their group's."""
    for command in group.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        yield prefix + name.replace("_", "-")
    for sub in group.registered_groups:
        assert sub.typer_instance is not None
        yield from commands(sub.typer_instance, f"{prefix}{sub.name} ")


def test_every_command_is_documented_and_none_besides() -> None:
    """The table of docs/commands.md and the command line name the same commands."""
    documented = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/commands.md").read_text(), flags=re.MULTILINE))
    assert documented == set(commands(application()))


def test_architecture_names_every_port() -> None:
    """Each port of the endpoint table stands in the table of docs/architecture.md."""
    text = (ROOT / "docs/architecture.md").read_text()
    missing = {name: port for name, port in PORTS.items() if str(port) not in text}
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """A relative link in a page names a file that is there."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
