"""``firedrill drill schema`` and ``drill validate``, as a person runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.terminal import typed

ROOT = Path(__file__).parents[3]
GOOD = """\
version: 1
name: small
title: A small drill
faults: [{kind: error, ttl: 10m}]
expect: [{alert: HighErrorRate, firing_within: 8m, resolved_within: 8m}]
"""


def firedrill(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line beside no stack."""
    nowhere = {"FIREDRILL_HOME": str(home), "FIREDRILL_PORT_OFFSET": str(free_port() - 8700)}
    return typed("drill", *arguments, environment=nowhere, columns=200)


def test_the_schema_is_printed_as_it_is_committed(tmp_path: Path) -> None:
    """Nothing but JSON, so that it can go into a file."""
    done = firedrill(tmp_path, "schema")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs" / "drill.schema.json").read_text(encoding="utf-8")
    assert json.loads(done.stdout)["title"] == "A drill of Firedrill, version 1"


@pytest.mark.parametrize("options", [(), ("--offline",)])
def test_files_are_checked_by_themselves_where_no_stack_runs(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Every file is judged, the bad one with its lines, and one bad file is exit status 2."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(GOOD)
    bad.write_text(GOOD.replace("ttl: 10m", "ttl: 10m, lasts: 11m"))
    alone = firedrill(tmp_path, "validate", *options, str(good))
    assert alone.returncode == 0, alone.stderr
    assert "good.yaml is a drill; whether it can run was not looked at" in alone.stdout
    both = firedrill(tmp_path, "validate", *options, str(bad), str(tmp_path / "none.yaml"), str(good))
    assert both.returncode == 2
    assert "line 4: faults[0].lasts: longer than the fault's own ttl (600 s)" in both.stderr
    assert "cannot be read" in both.stderr
    assert "good.yaml is a drill" in both.stdout
    assert "Traceback" not in both.stdout + both.stderr
