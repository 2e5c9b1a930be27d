"""The tables of docs/service.md are the code's."""

from __future__ import annotations

import re
from pathlib import Path

from service.errors import STATUS
from service.models.profiles import profile_names
from service.settings import Settings
from service.telemetry.metrics import DEFINITIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs/service.md").read_text(encoding="utf-8")


def _rows(heading: str) -> list[list[str]]:
    """Return the cells of the table rows below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_setting_is_documented_with_its_default() -> None:
    """Name, default and meaning are the field's."""
    rows = _rows("Settings")
    assert [row[0].strip("`") for row in rows] == [name.upper() for name in Settings.model_fields]
    for row, field in zip(rows, Settings.model_fields.values(), strict=True):
        default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
        assert row[1].strip("`").lower() == (default.lower() or "none")
        assert row[2] == field.description


def test_every_metric_is_documented_with_its_labels() -> None:
    """Name, type, labels and meaning are the table's."""
    rows = _rows("Metrics")
    assert [row[0].strip("`") for row in rows] == list(DEFINITIONS)
    for row, definition in zip(rows, DEFINITIONS.values(), strict=True):
        assert row[1] == definition.type.__name__.lower()
        assert tuple(re.findall(r"`([^`]+)`", row[2])) == definition.labels
        assert row[3] == definition.help


def test_every_error_and_profile_is_documented() -> None:
    """The error types stand with their status, the profiles by name."""
    errors = {row[0].strip("`"): int(row[1]) for row in _rows("Endpoints") if len(row) == 2 and row[1].isdecimal()}
    assert errors == {kind.value: status for kind, status in STATUS.items()}
    assert sorted(row[0].split("`")[1] for row in _rows("Models")) == list(profile_names())
