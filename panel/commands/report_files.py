"""Where reports are written: paths that are checked before anything burns, files that are whole or not there.

What is in them is made by ``faults.drills.report``; nothing is asked of a stack here.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from faults.drills.evidence import Evidence
from faults.drills.report.batch import Batch
from faults.drills.report.html import html
from faults.drills.report.junit import junit
from faults.drills.report.markdown import markdown
from faults.drills.report.pictures import Format, pictures
from faults.drills.report.series import series
from panel.commands.console import CommandError

HtmlFile = Annotated[Path | None, typer.Option("--html", help="Write one self-contained HTML page.")]
MarkdownFile = Annotated[Path | None, typer.Option("--md", help="Write Markdown.")]
JunitFile = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML, for a CI system.")]
CsvFolder = Annotated[Path | None, typer.Option("--csv", help="Write every series of each run into this folder.")]
PngFolder = Annotated[Path | None, typer.Option("--png", help="Write the pictures of each run into this folder.")]
SvgFolder = Annotated[Path | None, typer.Option("--svg", help="The same as SVG files.")]
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Outputs:
    """What is to be written where; ``None`` is not written."""

    html: Path | None = None
    md: Path | None = None
    junit: Path | None = None
    csv: Path | None = None
    png: Path | None = None
    svg: Path | None = None

    @property
    def files(self) -> dict[str, Path]:
        """The files, by option."""
        return {name: path for name, path in self._given() if name in {"html", "md", "junit"}}

    @property
    def folders(self) -> dict[str, Path]:
        """The folders, by option; they are made where they are not there."""
        return {name: path for name, path in self._given() if name in {"csv", "png", "svg"}}

    @property
    def any(self) -> bool:
        """Whether anything is to be written."""
        return bool(self.files or self.folders)

    def _given(self) -> Iterator[tuple[str, Path]]:
        for name in ("html", "md", "junit", "csv", "png", "svg"):
            path: Path | None = getattr(self, name)
            if path is not None:
                yield name, path

    def check(self) -> None:
        """Raise ``CommandError`` where something could not be written."""
        check_files(self.files)
        for name, path in self.folders.items():
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as problem:
                raise CommandError(f"--{name} {path}: the folder cannot be made ({problem.strerror})") from None
            _probe(name, path)

    def write(self, batch: Batch) -> list[Path]:
        """Write everything and return the files, in the order of the options. Raises ``CommandError``."""
        whole: dict[str, Callable[[Batch], str]] = {"html": html, "md": markdown, "junit": junit}
        written = [put(name, path, whole[name](batch).encode()) for name, path in self.files.items()]
        for name, folder in self.folders.items():
            for evidence in batch.evidences:
                written += [put(name, folder / file, body) for file, body in _of_run(name, evidence)]
        return written


def check_files(files: Mapping[str, Path]) -> None:
    """Raise ``CommandError`` where one of ``files``, by option, could not be written or is named twice."""
    taken: dict[Path, str] = {}
    for name, path in files.items():
        whole = path.expanduser().resolve()
        if whole in taken:
            raise CommandError(f"--{name} and --{taken[whole]} both name {path}; give each a file of its own")
        taken[whole] = name
        if path.is_dir():
            raise CommandError(f"--{name} {path}: that is a folder; name a file in it")
        _probe(name, path.parent)


def put(option: str, path: Path, body: bytes) -> Path:
    """Write ``body`` to ``path``, whole or not at all; raise ``CommandError``."""
    partial: str | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            partial = stream.name
            stream.write(body)
        Path(partial).chmod(0o666 & ~_umask())
        Path(partial).replace(path)
    except OSError as problem:
        if partial is not None:
            Path(partial).unlink(missing_ok=True)
        raise CommandError(f"--{option} {path}: it cannot be written ({problem.strerror or problem})") from None
    return path


def _of_run(option: str, evidence: Evidence) -> Iterator[tuple[str, bytes]]:
    stem = _UNSAFE.sub("-", f"{evidence.run.name}-{evidence.run.id}")
    if option == "csv":
        yield f"{stem}.csv", series(evidence).encode()
        return
    kind: Format = "png" if option == "png" else "svg"
    for name, body in pictures(evidence, kind).items():
        yield f"{stem}-{name}.{kind}", body


def _probe(option: str, folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as problem:
        reason = f"nothing can be written into {folder} ({problem.strerror or problem})"
        raise CommandError(f"--{option}: {reason}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
