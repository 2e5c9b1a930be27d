"""Dialects: YAML files that say under which other names, labels and buckets the metrics are exposed.

This module reads and checks the files (docs/dialects.md describes their schema); ``translation`` does what they say.
A file that is wrong is refused whole, with every problem by file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from prometheus_client import Counter, Gauge, Histogram, Info
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.errors import BadDialects
from service.telemetry.metrics import DEFINITIONS, Definition
from service.telemetry.places import Place, Places

METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
HISTOGRAM_SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created", "_info")


@dataclass(frozen=True)
class LabelRule:
    """One exposed label: the canonical label that it shows, and patterns with what a value that fits becomes."""

    name: str
    source: str
    rewrites: tuple[tuple[re.Pattern[str], str], ...] = ()

    def value(self, canonical: str) -> str:
        """Return the exposed value: by the first pattern that fits all of it, else as it is."""
        for pattern, replacement in self.rewrites:
            found = pattern.fullmatch(canonical)
            if found:
                return found.expand(replacement)
        return canonical


@dataclass(frozen=True)
class MetricRule:
    """One exposed metric: where it comes from and what becomes of its labels, its series and its buckets."""

    name: str
    source: Definition
    help: str
    labels: tuple[LabelRule, ...]
    where: Mapping[str, str]
    buckets: tuple[float, ...]
    aggregate: Literal["sum", "min", "max", "last"]


@dataclass(frozen=True)
class Dialect:
    """A set of metrics under other names, and the scrape job and target labels that its rules expect."""

    name: str
    description: str
    job: str
    target_labels: Mapping[str, str]
    runtime: bool
    metrics: tuple[MetricRule, ...]


def _as_mapping(value: Any) -> Any:
    """Take ``[a, b]`` for ``{a: a, b: b}``."""
    return dict(zip(value, value, strict=True)) if isinstance(value, list) else value


class _Entry(BaseModel):
    """An entry of ``metrics`` in a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(alias="from")
    help: str | None = None
    labels: Annotated[dict[str, str], BeforeValidator(_as_mapping)] = {}
    where: dict[str, str] = {}
    rewrite: dict[str, dict[str, str]] = {}
    buckets: tuple[float, ...] = ()
    aggregate: Literal["sum", "min", "max"] | None = None


class _Document(BaseModel):
    """A dialect file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    edition: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    job: str = Field(min_length=1)
    target_labels: dict[str, str] = {}
    runtime: bool = True
    metrics: dict[str, _Entry] = Field(min_length=1)


def load_dialects(folder: Path | None) -> Mapping[str, Dialect]:
    """Return the built-in dialects and those of ``folder`` (``*.yaml``, ``*.yml``) by name; raise ``BadDialects``."""
    built_in = resources.files("service") / "dialects"
    files = sorted((entry.name, entry.read_text("utf-8")) for entry in built_in.iterdir() if entry.name[-5:] == ".yaml")
    problems: list[str] = []
    if folder is not None:
        if not folder.is_dir():
            problems.append(f"{folder}: expected a folder (DIALECTS_DIR)")
        users = [path for path in folder.glob("*") if path.suffix in {".yaml", ".yml"}]
        files += [(str(path), path.read_text("utf-8", errors="replace")) for path in sorted(users)]
    dialects: dict[str, Dialect] = {}
    for file, text in files:
        try:
            dialect = read_dialect(file, text)
        except BadDialects as error:
            problems += error.problems
            continue
        if dialect.name in dialects:
            line = Places(text).line(("name",))
            problems.append(f"{file}:{line}: name: expected a name of its own, {dialect.name!r} is taken")
        dialects[dialect.name] = dialect
    if problems:
        raise BadDialects(problems)
    return dialects


@lru_cache(maxsize=16)
def read_dialect(file: str, text: str) -> Dialect:
    """Return the dialect that ``text`` describes; raise ``BadDialects``, naming ``file``, with every problem.

    A text is read once: a virtual drill builds the service anew each time, and these files are a third of its start.
    """
    try:
        places, content = Places(text), yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        said = getattr(error, "problem", None) or "something else"
        raise BadDialects([f"{file}:{mark.line + 1 if mark else 1}: expected YAML: {said}"]) from None
    except RecursionError:
        raise BadDialects([f"{file}:1: expected YAML that does not contain itself"]) from None

    def told(place: Place, expected: str) -> str:
        return f"{file}:{places.line(place)}: {'.'.join(map(str, place)) or 'document'}: expected {expected}"

    if places.repeated:
        raise BadDialects(told(place, "each key once") for place in places.repeated)
    try:
        document = _Document.model_validate(content)
    except ValidationError as error:
        raise BadDialects(
            told(_place(detail["loc"]), _expected(detail)) for detail in error.errors(include_url=False)
        ) from None
    problems = [told(place, expected) for place, expected in _problems(document)]
    if problems:
        raise BadDialects(problems)
    return Dialect(
        name=document.name,
        description=document.description,
        job=document.job,
        target_labels=document.target_labels,
        runtime=document.runtime,
        metrics=tuple(_rule(name, entry) for name, entry in document.metrics.items()),
    )


def _rule(name: str, entry: _Entry) -> MetricRule:
    source = DEFINITIONS[entry.source]
    labels = [
        LabelRule(exposed, canonical, tuple(_compiled(entry.rewrite.get(exposed, {}))))
        for exposed, canonical in entry.labels.items()
    ]
    return MetricRule(
        name=name,
        source=source,
        help=entry.help or source.help,
        labels=tuple(labels),
        where=entry.where,
        buckets=entry.buckets or source.buckets,
        aggregate=entry.aggregate or ("last" if source.type is Gauge else "sum"),
    )


def _compiled(rewrites: Mapping[str, str]) -> Iterator[tuple[re.Pattern[str], str]]:
    return ((re.compile(pattern), replacement) for pattern, replacement in rewrites.items())


def _problems(document: _Document) -> Iterator[tuple[Place, str]]:
    """Yield what a well-formed file gets wrong: the key, and what was expected there."""
    for label in document.target_labels:
        if not LABEL_NAME.fullmatch(label):
            yield ("target_labels", label), "the name of a label"
    for name, entry in document.metrics.items():
        source = DEFINITIONS.get(entry.source)
        place = ("metrics", name)
        if source is None:
            yield (*place, "from"), f"a metric of the service (docs/service.md lists them), not {entry.source!r}"
            continue
        yield from ((place, expected) for expected in _name_problems(name, source))
        if source.type is Info:
            for key in entry.model_fields_set - {"source", "help", "where"}:
                yield (*place, key), "nothing: an info metric is exposed with all of its labels"
            continue
        for part, expected in _entry_problems(entry, source):
            yield (*place, *part), expected


def _name_problems(name: str, source: Definition) -> Iterator[str]:
    if not METRIC_NAME.fullmatch(name):
        yield "the name of a metric"
    if source.type is Counter and not name.endswith("_total"):
        yield "a name that ends in _total, since it is a counter"
    if source.type is Info and not name.endswith("_info"):
        yield "a name that ends in _info, since it is an info metric"
    if source.type is Histogram and name.endswith(HISTOGRAM_SUFFIXES):
        yield f"a name without any of {' '.join(HISTOGRAM_SUFFIXES)}, since it is a histogram"
    if source.type is Gauge and name.endswith("_total"):
        yield "a name that does not end in _total, since it is a gauge"


def _entry_problems(entry: _Entry, source: Definition) -> Iterator[tuple[Place, str]]:
    known = f"one of {', '.join(source.labels) or 'no labels at all'}"
    for exposed, canonical in entry.labels.items():
        if canonical not in source.labels:
            yield ("labels", exposed), f"{known} of {source.name}, not {canonical!r}"
        if not LABEL_NAME.fullmatch(exposed) or exposed in {"le", "quantile"}:
            yield ("labels", exposed), "the name of a label, and not le or quantile"
    for label in entry.where:
        if label not in source.labels:
            yield ("where", label), f"{known} of {source.name}"
    for label, rewrites in entry.rewrite.items():
        if label not in entry.labels:
            yield ("rewrite", label), "a label that this metric exposes"
        yield from _rewrite_problems(label, rewrites)
    yield from _shape_problems(entry, source)


def _shape_problems(entry: _Entry, source: Definition) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with buckets and aggregation."""
    if entry.buckets and source.type is not Histogram:
        yield ("buckets",), "no buckets, since it is not a histogram"
    elif not set(entry.buckets) <= set(source.buckets) or list(entry.buckets) != sorted(set(entry.buckets)):
        yield ("buckets",), f"some of {' '.join(f'{bound:g}' for bound in source.buckets)}, ascending"
    dropped = set(source.labels) - set(entry.labels.values()) - set(entry.where)
    if source.type is not Gauge:
        if entry.aggregate not in {None, "sum"}:
            yield ("aggregate",), "sum: counters and histograms are summed over the labels that are dropped"
    elif entry.aggregate is None and dropped - {"model_version"}:
        names = ", ".join(sorted(dropped))
        yield (), f"`aggregate` or a `where` for {names}: a gauge is not summed by itself"


def _rewrite_problems(label: str, rewrites: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    for pattern, replacement in rewrites.items():
        try:
            re.compile(pattern).sub(replacement, "")  # reads the replacement even where nothing fits
        except re.error as error:
            yield ("rewrite", label, pattern), f"a regular expression and what its groups fit into: {error}"


def _place(location: tuple[int | str, ...]) -> Place:
    return tuple(part for part in location if part != "[key]")


def _expected(detail: Any) -> str:
    """Return what was expected, from pydantic's words for what is wrong."""
    if detail["type"] == "extra_forbidden":
        return "no such key"
    if detail["type"] == "missing":
        return "this key"
    message = str(detail["msg"])
    return f"{message[:1].lower()}{message[1:]}, not {detail['input']!r}"
