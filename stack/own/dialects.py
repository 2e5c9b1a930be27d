"""What a Prometheus has to know of a dialect: its name, its scrape job and its target labels.

The rest of a dialect's file is the service's affair (docs/dialects.md); it refuses a file that is wrong there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, ValidationError

from stack.component import ROOT
from stack.own.errors import BadDialect, UnknownDialect

BUILT_IN = ROOT / "service" / "dialects"
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Dialect:
    """A dialect as a scrape job sees it. ``brought`` says that the service does not know its file by itself."""

    name: str
    job: str
    labels: Mapping[str, str]
    file: Path
    brought: bool = False


class _Document(BaseModel):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    job: str = Field(min_length=1)
    target_labels: dict[str, str] = Field(default_factory=dict)


def find_dialect(given: str) -> Dialect:
    """Return the dialect that ``given`` names: a file, else one of the service's own or of ``DIALECTS_DIR``.

    Raises ``UnknownDialect`` and ``BadDialect``.
    """
    path = Path(given).expanduser()
    known = {dialect.name: dialect for dialect in _known()}
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise BadDialect(path, "there is no such file")
        brought = _read(path.resolve(), brought=True)
        taken = known.get(brought.name)
        if taken is not None and taken.file == brought.file:
            return taken
        if taken is not None:
            raise BadDialect(path, f"the name {brought.name!r} is taken by {taken.file}; give it another")
        return brought
    if given not in known:
        raise UnknownDialect(given, known)
    return known[given]


def files_beside() -> tuple[Path, ...]:
    """Return the files of ``DIALECTS_DIR``, which the service reads beside its own."""
    named = os.environ.get("DIALECTS_DIR")
    folder = Path(named).expanduser() if named else None
    if folder is None or not folder.is_dir():
        return ()
    return tuple(sorted(path.resolve() for path in folder.iterdir() if path.suffix in SUFFIXES))


def _known() -> Iterator[Dialect]:
    for path in sorted(BUILT_IN.glob("*.yaml")):
        yield _read(path)
    for path in files_beside():  # brought too: the service may start in another folder than the user is in
        yield _read(path, brought=True)


def _read(path: Path, *, brought: bool = False) -> Dialect:
    try:
        document = _Document.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise BadDialect(path, f"it cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise BadDialect(path, f"it is not YAML ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise BadDialect(path, f"{where}: {first['msg']}") from None
    return Dialect(document.name, document.job, document.target_labels, path, brought)
