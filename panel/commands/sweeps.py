"""What ``matrix`` and ``curve`` do: they read options, show progress, print and write results. They judge nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from faults.drills.check.cache import Cache, cache_folder
from faults.drills.check.check import Options, check
from faults.drills.check.curve_page import curve_csv, curve_html
from faults.drills.check.curve_picture import curve_picture
from faults.drills.check.curve_search import varied
from faults.drills.check.curve_tries import CurveOptions, tried_curves
from faults.drills.check.engine import engine_name
from faults.drills.check.matrix import matrix_of
from faults.drills.check.matrix_expected import library_expectations, read_expectations
from faults.drills.check.matrix_page import matrix_csv, matrix_html
from faults.drills.check.matrix_picture import matrix_picture
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.check.sweep import Progress as HowFar
from faults.drills.check.sweep import Sweeper
from faults.drills.check.tried import Tried
from faults.drills.check.workers import Backend
from faults.drills.virtual.scenario import Scenario
from panel.commands.console import ERRORS, OUT, CommandError, seconds
from panel.commands.curve_table import draw_curves
from panel.commands.matrix_table import draw_matrix
from panel.commands.report_files import check_files, put
from stack.home import Home
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration
from stack.rules.file import RuleFile

LEAST_S, MOST_S = 300.0, 6 * 3600.0
Bodies = Mapping[str, Callable[[], bytes]]


@dataclass(frozen=True)
class Asked:
    """The options that both commands have, as they were given."""

    dialect: str
    for_: str | None
    seed: int
    seeds: int
    jobs: int
    backend: Backend
    scheduler: str
    cached: bool
    as_json: bool

    @property
    def for_s(self) -> float | None:
        """Return how long each scenario shall take; raise ``CommandError``."""
        if self.for_ is None:
            return None
        try:
            found = parse_duration(self.for_)
        except BadDuration as bad:
            raise CommandError(f"--for {self.for_}: {bad.reason}; expected a duration such as 30m") from None
        if not LEAST_S <= found <= MOST_S:
            raise CommandError(f"--for {self.for_}: expected 5m to 6h")
        return found

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Return every seed that is tried."""
        return tuple(range(self.seed, self.seed + self.seeds))

    def check(self) -> None:
        """Raise ``CommandError`` for options that do not go together."""
        _ = self.for_s
        if self.scheduler and self.backend != "dask":
            raise CommandError("--scheduler is the address of a Dask cluster; give --backend dask too")


@dataclass(frozen=True)
class Varied:
    """The options of ``curve`` beside those."""

    fault: str
    parameter: str
    least: float | None
    most: float | None
    points: int
    resolution: float


def perform_matrix(
    rules: Sequence[str],
    asked: Asked,
    *,
    faults: str | None,
    expect: Path | None,
    files: Mapping[str, Path | None],
) -> None:
    """Try the rules with every fault and show which alert fires for which; ends with the exit status."""
    asked.check()
    named = _names(faults)
    wanted = _wanted(files)
    loaded = load_rule_files(rules)
    names = [rule.name for file in loaded for rule in file.alerts]
    expectations = library_expectations() if expect is None else read_expectations(expect, names)
    options = Options(asked.dialect, named, asked.for_s, asked.seed, asked.seeds)
    tries: list[Tried] = []
    with _sweeper(asked) as sweeper, _bar(quiet=asked.as_json) as tell:

        def attempt(scenarios: Sequence[Scenario], some: Sequence[RuleFile]) -> Iterator[Tried]:
            for one in sweeper.sweep(scenarios, some, on_progress=tell):
                tries.append(one)
                yield one

        result = check(loaded, options, attempt, engine=engine_name())
    found = matrix_of(result, tries, expectations)
    bodies: Bodies = {
        "html": lambda: matrix_html(found).encode(),
        "csv": lambda: matrix_csv(found).encode(),
        "png": lambda: matrix_picture(found, "png"),
        "svg": lambda: matrix_picture(found, "svg"),
    }
    _show(asked, found.model_dump_json(), draw_matrix(found, width=OUT.width), wanted, bodies)
    raise typer.Exit(1 if found.wrong else 0)


def perform_curve(
    rules: Sequence[str],
    asked: Asked,
    wish: Varied,
    *,
    alerts: Sequence[str],
    files: Mapping[str, Path | None],
) -> None:
    """Try the rules with one fault at many intensities and show how long each alert takes; ends with the status."""
    asked.check()
    wanted = _wanted(files)
    options = CurveOptions(
        wish.fault,
        wish.parameter,
        wish.least,
        wish.most,
        wish.points,
        wish.resolution,
        tuple(alerts),
        asked.dialect,
        asked.for_s,
        asked.all_seeds,
    )
    varied(wish.fault, parameter=wish.parameter, least=wish.least, most=wish.most)  # said before any file is read
    loaded = load_rule_files(rules)
    with _sweeper(asked) as sweeper, _bar(quiet=asked.as_json) as tell:
        found = tried_curves(loaded, options, sweeper, on_progress=tell)
    bodies: Bodies = {
        "html": lambda: curve_html(found).encode(),
        "csv": lambda: curve_csv(found).encode(),
        "png": lambda: curve_picture(found, "png"),
        "svg": lambda: curve_picture(found, "svg"),
    }
    _show(asked, found.model_dump_json(), draw_curves(found), wanted, bodies)
    raise typer.Exit(0 if any(curve.fired for curve in found.curves) else 1)


def _names(faults: str | None) -> tuple[str, ...] | None:
    if faults is None:
        return None
    names = tuple(name for name in map(str.strip, faults.split(",")) if name)
    if not names:
        raise CommandError("--faults: name faults, divided by commas; `firedrill fault kinds` lists them")
    return names


def _wanted(files: Mapping[str, Path | None]) -> Mapping[str, Path]:
    """Return the files that are to be written; raise ``CommandError`` where that will not do."""
    wanted = {name: path for name, path in files.items() if path is not None}
    check_files(wanted)
    return wanted


def _sweeper(asked: Asked) -> AbstractContextManager[Sweeper]:
    cache = Cache(cache_folder()) if asked.cached else None
    return Sweeper.started(
        Home.from_environment().artifacts,
        jobs=asked.jobs,
        cache=cache,
        backend=asked.backend,
        scheduler=asked.scheduler,
    )


@contextmanager
def _bar(*, quiet: bool) -> Iterator[Callable[[HowFar], None]]:
    """Yield what shows how far a sweep is, and how long the rest takes."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=ERRORS, transient=True, disable=quiet or not ERRORS.is_terminal) as progress:
        task = progress.add_task("reading the rules", total=None, left="")

        def tell(how: HowFar) -> None:
            left = "" if how.left_s is None or how.done == how.total else f"about {seconds(how.left_s)} left"
            last = f": {how.last}" if how.last else ""
            said = f"{how.done} of {how.total} tried{last}"
            progress.update(task, description=said, completed=how.done, total=how.total, left=left)

        yield tell


def _show(asked: Asked, told: str, drawn: RenderableType, wanted: Mapping[str, Path], bodies: Bodies) -> None:
    """Print a result and write what was asked for."""
    written = [put(name, path, bodies[name]()) for name, path in wanted.items()]
    if asked.as_json:
        OUT.print_json(told)
        return
    OUT.print(drawn)
    for path in written:
        OUT.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
