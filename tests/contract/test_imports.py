"""What a command loads: nothing that only tests install, nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST_ONLY = ("playwright", "pytest", "hypothesis", "schemathesis")
HEAVY = ("torch", "sklearn", "streamlit", "mlflow")


PROCESSES = (
    "panel.cli; panel.cli.application()",
    "stack.detached",
    "faults.drills.conductor",
    "faults.traffic.process",
)


@pytest.mark.parametrize("loaded", PROCESSES)
def test_a_process_loads_neither_test_tools_nor_a_model(loaded: str) -> None:
    """A run has only requirements.txt; the terminal must answer at once."""
    code = f"import sys, {loaded}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*TEST_ONLY, *HEAVY}


def test_a_command_waits_for_no_other_command() -> None:
    """Of all commands only the one that was named is loaded."""
    code = "import sys, panel.cli; panel.cli.application('train'); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "panel.commands.train" in loaded
    assert not loaded & {"panel.commands.check", "panel.commands.stack", "faults.client"}
