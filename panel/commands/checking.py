"""What ``firedrill check`` does: it reads options, shows progress, prints and writes the result. It judges nothing."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from faults.drills.check.cache import Cache, cache_folder
from faults.drills.check.check import Options, check
from faults.drills.check.engine import engine_name
from faults.drills.check.html import html
from faults.drills.check.inventories import load_inventory
from faults.drills.check.junit import junit
from faults.drills.check.recorded import check_recorded
from faults.drills.check.result import CheckResult
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.check.standing import failings, read_fail_on
from faults.drills.check.sweep import Progress as SweepProgress
from faults.drills.check.sweep import sweep
from faults.drills.check.tried import Tried
from faults.drills.check.workers import Backend
from faults.drills.virtual.scenario import Scenario
from panel.commands.check_table import draw
from panel.commands.console import ERRORS, OUT, CommandError, seconds
from panel.commands.report_files import Outputs, put
from stack.home import Home
from stack.rules.durations import format_duration, parse_duration
from stack.rules.errors import BadDuration
from stack.rules.file import RuleFile

LIMITS_S = {"--for": (300.0, 6 * 3600.0), "--since": (60.0, 14 * 24 * 3600.0)}


@dataclass(frozen=True)
class Asked:
    """The options of the command, as they were given."""

    dialect: str
    faults: str | None
    for_: str | None
    seed: int
    seeds: int
    jobs: int
    backend: Backend
    scheduler: str
    cached: bool
    inventory: Path | None
    complete: bool
    url: str | None
    since: str
    fail_on: str
    as_json: bool
    junit: Path | None
    html: Path | None

    @property
    def options(self) -> Options:
        """Return what is to be tried; raise ``CommandError``."""
        return Options(
            dialect=self.dialect,
            faults=None if self.faults is None else _faults(self.faults),
            for_s=None if self.for_ is None else _seconds("--for", self.for_),
            seed=self.seed,
            seeds=self.seeds,
        )

    def check(self) -> None:
        """Raise ``CommandError`` for options that do not go together."""
        if self.url is not None and (self.dialect or self.faults is not None or self.inventory is not None):
            raise CommandError(
                "--from asks what was recorded, and tries nothing: leave out --dialect, --faults and --inventory"
            )
        if self.scheduler and self.backend != "dask":
            raise CommandError("--scheduler is the address of a Dask cluster; give --backend dask too")
        if self.complete and self.url is None and self.inventory is None:
            raise CommandError("--complete is about --inventory FILE or --from URL; give one of them")


def perform(rules: Sequence[str], asked: Asked) -> None:
    """Check the files that ``rules`` name and say what was found; ends with the exit status."""
    asked.check()
    options, reasons = asked.options, read_fail_on(asked.fail_on)
    outputs = Outputs(html=asked.html, junit=asked.junit)
    outputs.check()
    files = load_rule_files(rules)
    result = _tried(files, asked, options) if asked.url is None else _recorded(files, asked, asked.url)
    bodies = {"html": lambda: html(result), "junit": lambda: junit(result, reasons)}
    written = [put(name, path, bodies[name]().encode()) for name, path in outputs.files.items()]
    failed = failings(result, reasons)
    if asked.as_json:
        OUT.print_json(result.model_dump_json())
    else:
        OUT.print(draw(result, width=OUT.width))
        for path in written:
            OUT.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
        if failed:
            names = ", ".join(dict.fromkeys(reason.value for _, reason, _ in failed))
            OUT.print(f"[bold red]FAILED[/] by --fail-on: {names}", highlight=False)
    raise typer.Exit(1 if failed else 0)


def _tried(files: Sequence[RuleFile], asked: Asked, options: Options) -> CheckResult:
    listed = None if asked.inventory is None else load_inventory(asked.inventory, complete=asked.complete)
    artifacts = Home.from_environment().artifacts
    cache = Cache(cache_folder()) if asked.cached else None
    with _bar(quiet=asked.as_json) as tell, _ended_in_order():

        def tell_sweep(how_far: SweepProgress) -> None:
            left = "" if how_far.left_s is None else f"about {seconds(how_far.left_s)} left"
            tell(how_far.done, how_far.total, "faults tried", left)

        def try_all(scenarios: Sequence[Scenario], rules: Sequence[RuleFile]) -> Iterator[Tried]:
            return sweep(
                scenarios,
                rules,
                artifacts=artifacts,
                jobs=asked.jobs,
                cache=cache,
                backend=asked.backend,
                scheduler=asked.scheduler,
                on_progress=tell_sweep,
            )

        return check(files, options, try_all, inventory=listed, engine=engine_name())


def _recorded(files: Sequence[RuleFile], asked: Asked, url: str) -> CheckResult:
    with _bar(quiet=asked.as_json) as tell:

        def tell_alerts(done: int, total: int) -> None:
            tell(done, total, "alerts replayed", "")

        return check_recorded(
            files, url, since_s=_seconds("--since", asked.since), complete=asked.complete, on_progress=tell_alerts
        )


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C meanwhile, so that no process of a sweep is left behind."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[int, int, str, str], None]]:
    """Yield what draws progress: how much is done of how much, what that is, and how long the rest takes."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=ERRORS, transient=True, disable=quiet or not ERRORS.is_terminal) as progress:
        task = progress.add_task("reading the rules", total=None, left="")

        def tell(done: int, total: int, what: str, left: str) -> None:
            progress.update(task, description=f"{done} of {total} {what}", completed=done, total=total, left=left)

        yield tell


def _faults(listed: str) -> tuple[str, ...]:
    """Return the faults that were named; none for `none`."""
    names = tuple(name for name in map(str.strip, listed.split(",")) if name)
    if not names:
        raise CommandError("--faults: name faults, divided by commas, or `none` for the steady state alone")
    return () if names == ("none",) else names


def _seconds(option: str, text: str) -> float:
    """Return a duration that was given on the command line, in seconds."""
    try:
        found = parse_duration(text)
    except BadDuration as error:
        raise CommandError(f"{option} {text}: {error.reason}; write it as 30m or 6h") from None
    low, high = LIMITS_S[option]
    if not low <= found <= high:
        raise CommandError(f"{option} {text}: expected from {format_duration(low)} to {format_duration(high)}")
    return float(found)
