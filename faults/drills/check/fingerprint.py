"""What the result of a try depends on, as a hash: what is tried, our own code, the models, what we run on.

Whatever could change a result is in it, rather too much than too little. It runs nothing.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import BaseModel, JsonValue

from faults.drills.virtual.scenario import Scenario

_ROOT = Path(__file__).resolve().parents[3]
_SOURCES = ("faults", "service", "stack/clients", "stack/rules", "stack/pace.py")
_SUFFIXES = frozenset({".py", ".yaml", ".json"})
_LIBRARIES = (
    "fastapi",
    "numpy",
    "opentelemetry-sdk",
    "prometheus-client",
    "promql-parser",
    "pydantic",
    "scikit-learn",
    "starlette",
    "torch",
)


def recording_key(scenario: Scenario, artifacts: Path) -> str:
    """Return the hash of everything that the recording of ``scenario`` depends on."""
    dialect = Path(scenario.dialect)
    own = hashlib.sha256(dialect.read_bytes()).hexdigest() if scenario.dialect and dialect.is_file() else ""
    return _hash(["recording", plain(scenario), own, models_hash(artifacts), code_hash(), _platform()])


def judgement_key(recording: str, *about: object) -> str:
    """Return the hash of everything that the judgement of the recording with the key ``recording`` depends on."""
    return _hash(["judgement", recording, [plain(one) for one in about]])


@cache
def code_hash() -> str:
    """Return the hash of all code and data of ours that a recording or a judgement may depend on."""
    found = hashlib.sha256()
    for path in sorted(_files(_ROOT / source for source in _SOURCES)):
        found.update(str(path.relative_to(_ROOT)).encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def models_hash(artifacts: Path) -> str:
    """Return the hash of what the manifests in ``artifacts`` say that their files are."""
    told: list[JsonValue] = []
    for path in sorted(artifacts.glob("*/*/manifest.json")):
        try:
            told.append([str(path.relative_to(artifacts)), json.loads(path.read_bytes())["files"]])
        except (OSError, ValueError, KeyError, TypeError):  # not a manifest: whoever loads it says so
            told.append([str(path.relative_to(artifacts)), "unreadable"])
    return _hash(told)


def plain(value: object) -> JsonValue:
    """Return ``value``, made of dataclasses, models, collections and scalars, as JSON that is the same everywhere."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return [type(value).__name__, fields]
    match value:
        case enum.Enum():
            found: JsonValue = plain(value.value)
        case BaseModel():
            found = [type(value).__name__, value.model_dump(mode="json", by_alias=True)]
        case None | str() | bool() | int():
            found = value
        case Mapping():
            found = {str(name): plain(one) for name, one in value.items()}
        case frozenset() | set():
            found = [*sorted(str(one) for one in value)]
        case Sequence():
            found = [plain(one) for one in value]
        case _:
            found = repr(value) if isinstance(value, float) else str(value)
    return found


def _files(sources: Iterable[Path]) -> Iterable[Path]:
    for source in sources:
        if source.is_file():
            yield source
        else:
            yield from (path for path in source.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


@cache
def _platform() -> list[JsonValue]:
    return [platform.python_version(), platform.machine(), *(_version(name) for name in _LIBRARIES)]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _hash(value: JsonValue) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
