"""The command line inside the tests' own process, which has its libraries loaded; a process of its own takes a second.

It is the real ``main`` with real arguments and streams. That it starts as a process is seen wherever a test starts one.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import pytest

from panel.cli import main
from panel.commands import console


def typed(*arguments: object, environment: Mapping[str, str], columns: int = 80) -> subprocess.CompletedProcess[str]:
    """Run ``firedrill`` with ``arguments`` in a terminal of ``columns``; return its status and what it printed."""
    words = ["firedrill", *map(str, arguments)]
    out, errors, status = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", words)
        for name, value in environment.items():
            patch.setenv(name, value)
        for printer in (console.OUT, console.ERRORS):
            patch.setattr(printer, "width", columns)
        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return subprocess.CompletedProcess(words, status, out.getvalue(), errors.getvalue())
