"""``firedrill test``: install what the tests need, then run the linters, the type checker and every test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from panel.commands.console import ERRORS, OUT, CommandError
from panel.commands.engine import engine
from stack.errors import StackError
from stack.provision import install_chromium, provision

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy", "--num-workers", "2"),
    "import-linter": ("lint-imports",),
}
DOCKER_TESTS = ("pytest", "-m", "docker", "tests/docker")
"""They run by themselves, after the others: building images takes the whole machine."""
IN_COMPANY = ("-n", "4", "--dist", "loadgroup")
"""Two workers begin with the live tests, which wait more than they work, two at the other end (``tests/spread.py``)."""
THOROUGH, ALL_LIVE = "FIREDRILL_THOROUGH", "FIREDRILL_ALL_LIVE"
"""Whether more is run than ten minutes hold, and whether every drill of the library runs live; the tests read it."""
RETRIED = 3
"""So many failed tests at most get a second run, alone: with more, it was not the machine."""


def run_everything(
    context: typer.Context,
    fast: Annotated[
        bool, typer.Option("--fast", help="Leave out the tests that start real processes or a browser.")
    ] = False,
    with_docker: Annotated[
        bool,
        typer.Option("--with-docker", help="Run the tests in containers too; CI=true does. May install an engine."),
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough",
            help=f"Run more than ten minutes hold, as a continuous integration does; {THOROUGH}=true does.",
        ),
    ] = False,
    all_live: Annotated[
        bool,
        typer.Option(
            "--all-live",
            help=f"Run every drill of the library live too; {ALL_LIVE}=true does. Takes about a minute each.",
        ),
    ] = False,
) -> None:
    """Set up what the tests need and run them. Further arguments go to pytest, which then runs alone."""
    if fast and (thorough or all_live):
        amount = "--all-live" if all_live else "--thorough"
        raise CommandError(f"--fast leaves out what runs live, {amount} asks for more of it: give one of the two")
    if not (ROOT / "tests").is_dir():
        raise CommandError(f"no tests beside the code in {ROOT}; run this from a checkout")
    asked = {name: "true" for name, wanted in ((THOROUGH, thorough), (ALL_LIVE, all_live)) if wanted}
    modules = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": modules, **asked}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile the same modules anew
    if not fast:
        _install_parts()
    failed: list[str] = []
    started = time.monotonic()
    if not context.args:
        for name, command in CHECKS.items():
            OUT.rule(name)
            failed += [name] if _fails(command, environment) else []
    OUT.rule("pytest")
    selection = ["-m", "not docker and not live and not browser" if fast else "not docker"]
    if context.args:
        command = ("pytest", *(selection if fast else []), *context.args)
        beside: AbstractContextManager[Mapping[str, str]] = engine(say) if with_docker else nullcontext({})
        with beside as more:
            failed += ["pytest"] if _fails(command, {**environment, **more}) else []
    else:
        failed += ["pytest"] if _tests_fail(("pytest", *selection, *IN_COMPANY), environment) else []
        if not fast and (with_docker or _required()):
            OUT.rule("pytest in containers")
            with engine(say) as more:
                failed += ["pytest -m docker"] if _tests_fail(DOCKER_TESTS, {**environment, **more}) else []
    took = f"{time.monotonic() - started:.0f} s without installation"
    if failed:
        ERRORS.print(f"[bold red]failed:[/] {', '.join(failed)} ({took})")
        raise typer.Exit(1)
    OUT.print(f"[bold green]all checks and tests passed[/] ({took})")


def _tests_fail(command: tuple[str, ...], environment: dict[str, str]) -> bool:
    """Run tests, then a few failed ones once more by themselves; return whether one still fails.

    What fails in company and passes alone is named: it wants mending, and a run in company is what finds it.
    """
    _failures_file().unlink(missing_ok=True)
    if not _fails(command, environment):
        return False
    names = sorted(json.loads(_failures_file().read_text())) if _failures_file().is_file() else []
    if not 0 < len(names) <= RETRIED:
        return True
    OUT.rule("pytest, the failed ones alone")
    if _fails(("pytest", *names), environment):
        return True
    ERRORS.print(f"[bold yellow]unsteady, failed first and passed alone:[/] {', '.join(names)}", soft_wrap=True)
    return False


def _required() -> bool:
    """Return whether what is missing is a failure: in a continuous integration."""
    return os.environ.get("CI", "").lower() == "true"


def _failures_file() -> Path:
    """Return where pytest keeps the names of what failed."""
    return ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"


def _install_parts() -> None:
    """Bring in the real programs that tests run against; where one is missing, only a continuous integration fails."""
    required = _required()
    parts = {"Prometheus and Alertmanager": _install_programs, "Chromium": _install_browser}
    for name, install in parts.items():
        try:
            install()
        except StackError as problem:
            if required:
                raise
            ERRORS.print(f"[yellow]{name} is missing, its tests will be skipped:[/] {problem}", soft_wrap=True)


def _install_programs() -> None:
    """Find or fetch Prometheus, Alertmanager and their tools."""
    provision(("prometheus", "promtool", "alertmanager", "amtool"), on_progress=lambda progress: say(progress.text))


def _install_browser() -> None:
    """Find or fetch Chromium."""
    install_chromium(say)


def say(text: str) -> None:
    """Show a step of an installation."""
    OUT.print(f"  {text}", highlight=False, soft_wrap=True)


def _fails(command: tuple[str, ...], environment: dict[str, str]) -> bool:
    """Run a console script of this environment in the checkout; return whether it failed."""
    program = Path(sys.executable).with_name(command[0])
    return subprocess.run([str(program), *command[1:]], cwd=ROOT, env=environment, check=False).returncode != 0
