"""What a command loads: nothing that only tests install, nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEST_ONLY = ("playwright", "pytest", "hypothesis", "schemathesis")
HEAVY = ("torch", "sklearn", "streamlit", "mlflow")


@pytest.mark.parametrize("module", ["panel.cli", "stack.detached", "faults.drills.conductor", "faults.traffic.process"])
def test_a_process_loads_neither_test_tools_nor_a_model(module: str) -> None:
    """A run has only requirements.txt; the terminal must answer at once."""
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*TEST_ONLY, *HEAVY}
