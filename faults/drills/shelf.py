"""Where the evidence of runs is kept: one JSON file for each run in ``data/runs``, the newest of them.

A file is written whole or not at all. It decides nothing of what is in it.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from faults.drills.errors import DrillError
from faults.drills.evidence import Evidence

KEPT = 200
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_FILE = "evidence.json"


class NoEvidence(DrillError):  # noqa: N818 - reads as a fact where it is raised
    """Nothing is kept of a run: it is not known, still runs, or is too old."""

    def __init__(self, run_id: str, reason: str = "") -> None:
        self.run_id = run_id
        why = reason or f"it is unknown, has not ended, or is older than the newest {KEPT} runs"
        super().__init__(f"no evidence of drill run {run_id!r}: {why}; `firedrill drill runs` shows the known ones")


@dataclass(frozen=True)
class Shelf:
    """The evidence in one folder."""

    folder: Path
    kept: int = KEPT

    def put(self, evidence: Evidence) -> Path:
        """Keep ``evidence`` and forget the oldest beyond what is kept; return its file. Raises ``OSError``."""
        place = self.folder / evidence.run.id
        place.mkdir(parents=True, exist_ok=True)
        partial = place / f".{_FILE}.{os.getpid()}"
        try:
            partial.write_text(evidence.model_dump_json(), encoding="utf-8")
            partial.replace(place / _FILE)
        finally:
            partial.unlink(missing_ok=True)
        self._prune()
        return place / _FILE

    def get(self, run_id: str) -> Evidence:
        """Return the evidence of a run, or raise ``NoEvidence``."""
        if not _ID.fullmatch(run_id):
            raise NoEvidence(run_id)
        try:
            return Evidence.model_validate_json((self.folder / run_id / _FILE).read_bytes())
        except FileNotFoundError:
            raise NoEvidence(run_id) from None
        except OSError as error:
            raise NoEvidence(run_id, f"its file cannot be read: {error}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            path = ".".join(map(str, first["loc"])) or "the file"
            raise NoEvidence(run_id, f"its file is damaged or of another version ({path}: {first['msg']})") from None

    def newest(self, count: int) -> list[str]:
        """Return the ids of the newest runs that evidence is kept of, newest first."""
        return [path.parent.name for path in self._files()[:count]]

    def _files(self) -> list[Path]:
        found: list[tuple[float, Path]] = []
        for path in self.folder.glob(f"*/{_FILE}"):
            try:
                found.append((path.stat().st_mtime, path))
            except FileNotFoundError:
                continue
        return [path for _, path in sorted(found, reverse=True)]

    def _prune(self) -> None:
        for path in self._files()[self.kept :]:
            shutil.rmtree(path.parent, ignore_errors=True)
