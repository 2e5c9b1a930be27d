"""The start for Windows: it can be read, and speaks of what the Compose file has. No PowerShell is run here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tree_sitter_powershell
import yaml
from tree_sitter import Language, Parser

from stack.endpoints import PORTS
from stack.pace import PACES

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = (ROOT / "firedrill.ps1").read_text(encoding="ascii")
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = yaml.safe_load(COMPOSE)["services"]


def choices(parameter: str) -> set[str]:
    """Return what a parameter may be."""
    found = re.search(rf"\[ValidateSet\(([^)]*)\)\]\s*\[string(?:\[\])?\] \${parameter}\b", SCRIPT)
    assert found is not None
    return set(re.findall(r"'([^']+)'", found[1]))


def test_every_variable_is_one_that_compose_reads() -> None:
    """What the script sets stands in the Compose file."""
    given = set(re.findall(r"\$env:(\w+) = ", SCRIPT))
    assert given
    assert given <= set(re.findall(r"\$\{(\w+)", COMPOSE))


def test_the_paces_are_the_stacks() -> None:
    """Each pace may be chosen; every timer of the Compose file is set for production, to that pace's value."""
    assert choices("Pace") == set(PACES)
    timers = dict(re.findall(r"\$\{(FIREDRILL_\w+):-([\d.]+)s\}", COMPOSE))
    assert len(timers) >= 4
    for name, workshop_s in timers.items():
        found = re.search(rf"\$env:{name} = '([\d.]+)s'", SCRIPT)
        assert found is not None, name
        assert PACES["workshop"].scale(float(found[1])) == pytest.approx(float(workshop_s))


def test_parts_are_composes() -> None:
    """What is scraped by default is what the Compose file says."""
    listed = re.search(r"(?s)\$Parts = @\(([^)]*)\)", SCRIPT)
    default = re.search(r"\$\{FIREDRILL_PARTS:-([^}]*)\}", COMPOSE)
    assert listed is not None
    assert default is not None
    assert re.findall(r"'([^']+)'", listed[1]) == default[1].split(",")


def test_optional_components_are_composes_profiles() -> None:
    """What may be asked for with -With, and what status and down look at, are the profiles."""
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", [])}
    assert choices("With") == profiles
    named = re.search(r"\$Optional = @\(([^)]*)\)", SCRIPT)
    assert named is not None
    assert set(re.findall(r"'([^']+)'", named[1])) == profiles


@pytest.mark.parametrize("port", sorted(set(re.findall(r"http://127\.0\.0\.1:(\d+)", SCRIPT))))
def test_addresses_are_those_that_compose_publishes(port: str) -> None:
    """Each address that is shown is the default port of a component, on loopback."""
    assert int(port) in PORTS.values()
    published = [str(entry) for service in SERVICES.values() for entry in service.get("ports", [])]
    on_loopback = [one for one in published if one.startswith(("127.0.0.1:", "${FIREDRILL_PANEL_HOST:-127.0.0.1}:"))]
    assert any(f":-{port}}}" in entry for entry in on_loopback)


def test_every_command_is_handled_and_described() -> None:
    """Each command that may be given has its branch."""
    for command in choices("Command") - {"help"}:
        assert f"    '{command}' {{" in SCRIPT


def test_it_is_powershell() -> None:
    """A grammar of PowerShell reads all of it, and would not if a bracket were missing."""
    parser = Parser(Language(tree_sitter_powershell.language()))
    assert not parser.parse(SCRIPT.encode()).root_node.has_error
    assert parser.parse(SCRIPT.replace("in $names) {", "in $names {").encode()).root_node.has_error
