"""What stands in the panel's addresses."""

from __future__ import annotations

import ast
from pathlib import Path

PANEL = Path(__file__).resolve().parents[2] / "panel"


def bound_keys(path: Path) -> set[str]:
    """Return the keys of a module's widgets whose values stand in the address."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        given = {each.arg: each.value for each in node.keywords} if isinstance(node, ast.Call) else {}
        key = given.get("key")
        if "bind" in given and isinstance(key, ast.Constant):
            found.add(str(key.value))
    return found


def test_no_two_pages_call_a_filter_alike() -> None:
    """What was chosen on one page would be taken for the choice on another, where it may not even be on offer."""
    used: dict[str, list[str]] = {}
    for path in sorted(PANEL.rglob("*.py")):
        for key in bound_keys(path):
            used.setdefault(key, []).append(path.name)
    assert {"in_service", "service", "actor", "board"} <= set(used)
    assert {key: names for key, names in used.items() if len(names) > 1} == {}
