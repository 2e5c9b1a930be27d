"""``firedrill drill export``: a drill as unit tests for promtool, virtual or as it ran live, written once they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faults.drills.spec import LIBRARY, Drill, load_drill, load_library
from faults.drills.wire import DrillRun
from panel.commands.console import ERRORS, OUT, CommandError, conductor, running_endpoints
from panel.commands.report_files import put
from stack.clients.prometheus import PrometheusClient
from stack.home import Home
from stack.rules.file import RuleFile

if TYPE_CHECKING:
    from faults.drills.export.course import Course

SUFFIXES = (".yaml", ".yml")


def export(
    drill: Annotated[
        str, typer.Argument(help="A drill of the library or a drill file: virtual; the id of a run: live.")
    ],
    rules: Annotated[list[Path] | None, typer.Option("--rules", help="Rule files; else those of the stack.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The test file; else NAME.test.yml here.")] = None,
    promtool: Annotated[int, typer.Option(min=2, max=3, help="For promtool 2, or 3.9 and later (not tried).")] = 2,
    alert: Annotated[list[str] | None, typer.Option("--alert", help="Only this alert; may be given again.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every alert of the rules, those that stayed silent too.")
    ] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Of a virtual drill; else its own.")] = None,
    dialect: Annotated[str, typer.Option(help="Under which names a virtual drill is scraped.")] = "",
) -> None:
    """Write a drill as unit tests that promtool passes: alerts quiet, pending, firing and quiet again."""
    # All of this loads the service's own code and is slow to import; other commands do not pay for it.
    from faults.drills.check.rulefiles import load_rule_files  # noqa: PLC0415
    from faults.drills.export.export import export as make  # noqa: PLC0415
    from faults.drills.export.rehearsed import rehearsed  # noqa: PLC0415

    if alert and every:
        raise CommandError("--alert chooses alerts and --all takes every one; give one of the two")
    named = load_rule_files([str(path) for path in rules]) if rules else ()
    found = _drill(drill)
    test = out or Path(f"{found.name if found else drill}.test.yml")
    if not test.parent.is_dir():
        raise CommandError(f"--out {test}: there is no folder {test.parent}")
    if found is None:
        if seed is not None or dialect:
            raise CommandError("--seed and --dialect belong to virtual drills; what ran live, ran")
        course, used = _live(_run(drill), named, alert or (), every=every)
        expected: Sequence[str] = ()
    else:
        expected = [one.alert for one in found.expect]
        with _telling(found.name) as tell:
            told = rehearsed(
                found,
                artifacts=Home.from_environment().artifacts,
                rules=named,
                seed=seed,
                dialect=dialect,
                on_progress=lambda done_s: tell(f"{found.name}: {done_s:.0f} virtual seconds"),
            )
        course, used = told.course, told.rules
    chosen = alert or (() if every else course.noticed(expected))
    with _telling("promtool"):
        made = make(course, used, test, alerts=chosen, for_promtool=3 if promtool == 3 else 2)
    for name, text in made.rules:
        _say(f"wrote {put('out', test.parent / name, text.encode())}")
    put("out", test, made.text.encode())
    _say(
        f"wrote {test}: {made.cases} cases of {', '.join(made.alerts)}, {made.firing} of them firing; "
        f"{made.series} series"
    )
    for note in made.notes:
        _say(f"note: {note}")
    untried = "" if promtool == 2 else ", but for `start_timestamp`, which only 3.9 and later know; 3.x was not tried"
    _say(f"promtool passed it{untried}")


def _say(line: str) -> None:
    OUT.print(line, markup=False, highlight=False, soft_wrap=True)


def _drill(name: str) -> Drill | None:
    """Return the drill of that name or file; ``None`` where it can only be a run."""
    if name.endswith(SUFFIXES):
        return load_drill(Path(name))
    return load_library(LIBRARY).get(name)


def _run(run_id: str) -> DrillRun:
    """Return the run of that id of the running stack."""
    try:
        client = conductor()
    except CommandError:
        library = ", ".join(sorted(load_library(LIBRARY)))
        reason = f"no drill is named {run_id!r}, and no stack runs here that may know a run of that id"
        raise CommandError(f"{reason}; the library has: {library}; or name a drill file (.yaml)") from None
    with client:
        return client.run(run_id)


def _live(
    run: DrillRun, named: Sequence[RuleFile], alerts: Sequence[str], *, every: bool
) -> tuple[Course, Sequence[RuleFile]]:
    """Return the course of a run as the stack's Prometheus has it, with the rules that are loaded there."""
    from faults.drills.export.lived import lived, loaded_rules  # noqa: PLC0415 - as above

    rules = named or loaded_rules(Home.from_environment().run / "rules")
    known = [rule.name for file in rules for rule in file.alerts]
    told = [one.alert for one in run.outcomes if one.alert in known]
    with PrometheusClient(running_endpoints().url("prometheus"), timeout_s=30.0) as prometheus:
        course = lived(prometheus, run, rules, alerts or (known if every or not told else told))
    return course, rules


@contextmanager
def _telling(what: str) -> Iterator[Callable[[str], None]]:
    """Yield what says on the terminal how far it is."""
    with ERRORS.status(what) as status:
        yield status.update
