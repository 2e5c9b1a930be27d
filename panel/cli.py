"""The terminal: every command of ``firedrill``. It only gathers them; each stands in ``panel/commands``."""

from __future__ import annotations

import sys

import typer

from faults.errors import FaultError
from panel.commands import (
    access,
    agreement,
    bundle,
    check,
    curve,
    drill_files,
    fault,
    journal,
    load,
    matrix,
    measure,
    report,
    screenshot,
    stack,
    suite,
    train,
    why,
)
from panel.commands.console import ERRORS, CommandError
from stack.errors import StackError

app = typer.Typer(
    name="firedrill",
    help="Does the alarm ring? Start an instrumented ML service with real Prometheus and Alertmanager, light a fault, "
    "and get proof that the alert fires and resolves.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (stack.up, stack.down, stack.status, stack.logs, stack.doctor):
    app.command(rich_help_panel="Stack")(command)
app.command(rich_help_panel="Stack")(bundle.bundle)
app.command(rich_help_panel="Stack")(access.access)
app.add_typer(fault.app, name="fault", rich_help_panel="Drills")
app.add_typer(drill_files.app, name="drill", rich_help_panel="Drills")
app.add_typer(report.app, name="report", rich_help_panel="Drills")
app.command(rich_help_panel="Drills")(check.check)
app.command(rich_help_panel="Drills")(matrix.matrix)
app.command(rich_help_panel="Drills")(curve.curve)
app.command(rich_help_panel="Drills")(agreement.agree)
app.command(rich_help_panel="Drills")(why.why)
app.command(rich_help_panel="Drills")(journal.journal)
app.command(rich_help_panel="Stack")(screenshot.screenshot)
app.command(rich_help_panel="Service")(train.train)
app.command(rich_help_panel="Service", context_settings={**load.PASS_ON, "help_option_names": []})(load.load)
app.command("test", rich_help_panel="Development", context_settings=dict(load.PASS_ON))(suite.run_everything)
app.command("bench", rich_help_panel="Development")(measure.bench)


def main() -> None:
    """Run the command line; a known error is one clear message and exit status 2, never a traceback."""
    try:
        app(prog_name="firedrill")
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
