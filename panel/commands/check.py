"""``firedrill check``: any rules, through checks and virtual drills, to a verdict for each alert. No stack runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faults.drills.check.standing import DEFAULT, MEANINGS
from panel.commands import sweep_options as option
from panel.commands.console import AsJson
from panel.commands.report_files import HtmlFile, JunitFile

_FAIL_ON = f"For what the exit status is 1, divided by commas: {', '.join(MEANINGS)}."


def check(
    rules: option.Rules,
    dialect: option.Dialect = "",
    faults: Annotated[
        str | None, typer.Option(help="Faults to try, divided by commas, in place of all; `none`: no fault.")
    ] = None,
    for_: option.For = None,
    seed: option.Seed = 1,
    seeds: option.Seeds = 1,
    jobs: option.Jobs = 0,
    backend: option.Backend = option.BackendName.LOKY,
    scheduler: option.Scheduler = "",
    no_cache: option.NoCache = False,
    inventory: Annotated[Path | None, typer.Option(help="What your targets answer on /metrics, saved.")] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="There are no other metrics than in --inventory, or at --from.")
    ] = False,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Replay what this Prometheus has recorded instead.")
    ] = None,
    since: Annotated[str, typer.Option(help="How much of that.")] = "6h",
    fail_on: Annotated[str, typer.Option(help=_FAIL_ON)] = DEFAULT,
    as_json: AsJson = False,
    junit: JunitFile = None,
    html: HtmlFile = None,
) -> None:
    """Find out what each alert is worth; exit status 0 fine, 1 by --fail-on, 2 for what cannot be checked."""
    from panel.commands import checking  # noqa: PLC0415 - the service's code, for which other commands need not wait

    checking.perform(
        rules,
        checking.Asked(
            dialect=dialect,
            faults=faults,
            for_=for_,
            seed=seed,
            seeds=seeds,
            jobs=jobs,
            backend=backend.value,
            scheduler=scheduler,
            cached=not no_cache,
            inventory=inventory,
            complete=complete,
            url=from_,
            since=since,
            fail_on=fail_on,
            as_json=as_json,
            junit=junit,
            html=html,
        ),
    )
