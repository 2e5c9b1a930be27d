"""Prometheus's own judgement of rule files, unit tests and configurations: promtool, nothing of it redone."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from stack.provision import find_program
from stack.rules.errors import PromtoolRefused

TIMEOUT_S = 120.0


def check(*rule_files: Path) -> str:
    """Return what ``promtool check rules`` says of ``rule_files``; raise ``PromtoolRefused`` if it finds fault."""
    return _run("check rules", ("check", "rules"), rule_files)


def check_config(prometheus_yml: Path) -> str:
    """Return what ``promtool check config`` says of a configuration and the files that it names; raise likewise."""
    return _run("check config", ("check", "config"), (prometheus_yml,))


def test(*test_files: Path) -> str:
    """Return what ``promtool test rules`` says of unit tests; raise ``PromtoolRefused`` with its differences.

    Rule files are looked up relative to the test file that names them.
    """
    return _run("test rules", ("test", "rules"), test_files)


def _run(task: str, command: Sequence[str], paths: Sequence[Path]) -> str:
    """Run promtool on ``paths`` for at most ``TIMEOUT_S`` seconds and return its output."""
    argv = [str(find_program("promtool")), *command, *map(str, paths)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise PromtoolRefused(task, paths, f"it did not end within {TIMEOUT_S:.0f} s") from None
    output = done.stdout + done.stderr
    if done.returncode != 0:
        raise PromtoolRefused(task, paths, output)
    return output
