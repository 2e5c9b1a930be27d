"""The terminal: every command of ``firedrill``. It only gathers them; each stands in ``panel/commands``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import typer

from faults.errors import FaultError
from panel.commands.console import ERRORS, CommandError
from stack.errors import StackError

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
"""How a command is declared that hands its arguments on to the program behind it."""


@dataclass(frozen=True)
class Entry:
    """A command, or a group of them: where its code stands, and under which heading the help lists it."""

    module: str
    attribute: str
    heading: str
    settings: Mapping[str, object] | None = None


ENTRIES = {
    "up": Entry("stack", "up", "Stack"),
    "down": Entry("stack", "down", "Stack"),
    "status": Entry("stack", "status", "Stack"),
    "logs": Entry("stack", "logs", "Stack"),
    "doctor": Entry("stack", "doctor", "Stack"),
    "bundle": Entry("bundle", "bundle", "Stack"),
    "access": Entry("access", "access", "Stack"),
    "fault": Entry("fault", "app", "Drills"),
    "drill": Entry("drill_files", "app", "Drills"),
    "report": Entry("report", "app", "Drills"),
    "check": Entry("check", "check", "Drills"),
    "matrix": Entry("matrix", "matrix", "Drills"),
    "curve": Entry("curve", "curve", "Drills"),
    "agree": Entry("agreement", "agree", "Drills"),
    "why": Entry("why", "why", "Drills"),
    "journal": Entry("journal", "journal", "Drills"),
    "screenshot": Entry("screenshot", "screenshot", "Stack"),
    "train": Entry("train", "train", "Service"),
    "load": Entry("load", "load", "Service", {**PASS_ON, "help_option_names": []}),
    "test": Entry("suite", "run_everything", "Development", PASS_ON),
    "bench": Entry("measure", "bench", "Development"),
}
"""All commands by name, in the order of the help."""


def application(only: str | None = None) -> typer.Typer:
    """Return the command line; with ``only`` one of its commands, so that nobody waits for the code of the others."""
    app = typer.Typer(
        name="firedrill",
        help="Does the alarm ring? Start an instrumented ML service with real Prometheus and Alertmanager, light a "
        "fault, and get proof that the alert fires and resolves.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_nothing)  # else a single command would be taken for the whole program
    for name, entry in ENTRIES.items() if only is None else [(only, ENTRIES[only])]:
        found = getattr(importlib.import_module(f"panel.commands.{entry.module}"), entry.attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, rich_help_panel=entry.heading)
        else:
            app.command(name, rich_help_panel=entry.heading, context_settings=dict(entry.settings or {}))(found)
    return app


def _nothing() -> None:
    """Stands where typer wants something that runs before every command."""


def main() -> None:
    """Run the command line; a known error is one clear message and exit status 2, never a traceback."""
    try:
        named = sys.argv[1] if len(sys.argv) > 1 else ""
        application(named if named in ENTRIES else None)(prog_name="firedrill")
    except (StackError, FaultError, CommandError) as problem:
        ERRORS.print(f"[bold red]error:[/] {problem}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        ERRORS.print("interrupted")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
