"""Turns what a user named on the command line into rules that a stack can be started with. It writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stack.endpoints import HOST, PORTS
from stack.own.app import DEFAULT_JOB, DEFAULT_METRICS, OwnApp, read_job, read_path, read_request, read_url
from stack.own.dialects import find_dialect
from stack.own.errors import AppNeeded, NotWithApp, RulesMissing, RulesNeeded
from stack.plan import OwnRules


def choose_own(patterns: Sequence[str], dialect: str | None, alertmanager: str | None) -> OwnRules | None:
    """Return the rules that ``patterns`` (files or globs) name, in the order given; ``None`` where there are none.

    ``dialect`` is a name or a file. Raises ``OwnError``.
    """
    if not patterns:
        for option, given in (("--dialect", dialect), ("--alertmanager-config", alertmanager)):
            if given is not None:
                raise RulesNeeded(option)
        return None
    rules = tuple(dict.fromkeys(path for pattern in patterns for path in _files("--rules", pattern)))
    found = find_dialect(dialect) if dialect is not None else None
    return OwnRules(
        rules=rules,
        dialect=found.name if found is not None else "",
        dialect_file=found.file if found is not None and found.brought else None,
        alertmanager=_files("--alertmanager-config", alertmanager)[0] if alertmanager is not None else None,
    )


@dataclass(frozen=True)
class AppOptions:
    """What was said of an app of the user's, word for word."""

    url: str | None = None
    control: str | None = None
    metrics: str | None = None
    job: str | None = None
    traffic: Sequence[str] = ()


def choose_app(
    given: AppOptions, patterns: Sequence[str], *, dialect: str | None, alertmanager: str | None, workers: int
) -> OwnApp | None:
    """Return the app that ``given`` names, with the rules that ``patterns`` name; ``None`` where it names none.

    The other options are about Firedrill's own service and refused with an app. Raises ``OwnError``.
    """
    if given.url is None:
        rest = {
            "--app-control": given.control,
            "--app-metrics": given.metrics,
            "--app-job": given.job,
            "--app-traffic": given.traffic,
        }
        for option, value in rest.items():
            if value:
                raise AppNeeded(option)
        return None
    if dialect is not None:
        raise NotWithApp("--dialect", "a dialect is another set of names for Firedrill's own service")
    if alertmanager is not None:
        raise NotWithApp("--alertmanager-config", "a drill has to see what the stack's own Alertmanager delivers")
    if workers > 1:
        raise NotWithApp("--workers", "how many processes your app has is up to you; faults reach one")
    return OwnApp(
        url=read_url("--app", given.url),
        control=read_url("--app-control", given.control or f"http://{HOST}:{PORTS['control']}"),
        metrics=read_path("--app-metrics", given.metrics or DEFAULT_METRICS),
        job=read_job("--app-job", given.job or DEFAULT_JOB),
        rules=tuple(dict.fromkeys(path for pattern in patterns for path in _files("--rules", pattern))),
        traffic=tuple(read_request("--app-traffic", line) for line in given.traffic),
    )


def _files(option: str, pattern: str) -> list[Path]:
    """Return the files that ``pattern`` names: one of that name first, whatever letters it has, else those that fit."""
    place = Path(pattern).expanduser()
    if place.is_file():
        return [place.resolve()]
    found = sorted(path.resolve() for path in Path(place.anchor or ".").glob(_relative(place)) if path.is_file())
    if not found:
        raise RulesMissing(option, pattern)
    return found


def _relative(place: Path) -> str:
    return str(place.relative_to(place.anchor)) if place.anchor else str(place)
