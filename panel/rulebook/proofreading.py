"""A rule text read at once: whether Prometheus would load it, what the checks find, how long it would take to try.

Nothing is tried. It is cheap enough to be done while somebody edits; what is too large for that is said to be.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from faults.drills.check.check import inventory_of
from faults.drills.check.errors import BadRules
from faults.drills.check.horizon import Horizon, horizon_of
from faults.drills.check.rulefiles import load_rule_files
from faults.drills.check.scenarios import RATE, ready_faults
from faults.drills.lint.finding import Finding
from faults.drills.lint.lint import lint
from faults.errors import FaultError
from panel.rulebook.texts import RuleText
from stack.errors import StackError
from stack.pace import PRODUCTION
from stack.rules.file import RuleFile

LIMIT = 24
MOST_AT_ONCE = 300
"""Of more rules the checks are left to the job."""
_PLACE = re.compile(r"^[^:\n]*\.(?:yml|yaml|rules)(?::(?P<line>\d+))?(?::(?P<column>\d+))?: (?P<words>.*)$", re.DOTALL)


@dataclass(frozen=True)
class Mistake:
    """Why Prometheus would not load the rules. ``line`` and ``column`` from 1; 0 where that is not known."""

    line: int
    column: int
    words: str
    text: str = ""
    """The line itself."""


@dataclass(frozen=True)
class Proof:
    """What is known of a text without trying it."""

    text: RuleText
    dialect: str
    mistakes: tuple[Mistake, ...] = ()
    file: RuleFile | None = None
    findings: tuple[Finding, ...] = ()
    unchecked: bool = False
    """Whether there were too many rules to check at once."""

    @property
    def alerts(self) -> tuple[str, ...]:
        """Return the names of the alerts, each once."""
        return tuple(dict.fromkeys(rule.name for rule in self.file.alerts)) if self.file else ()

    @property
    def recordings(self) -> int:
        """Return how many recording rules there are."""
        return sum(len(group.rules) for group in self.file.groups) - len(self.file.alerts) if self.file else 0

    def horizon(self, for_s: float | None) -> Horizon | None:
        """Return how long each scenario takes; ``None`` for rules that cannot be read."""
        return None if self.file is None else horizon_of([self.file], for_s=for_s)


class Proofreader:
    """Reads each text once for all viewers; the least recently used ones are forgotten."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._known: OrderedDict[tuple[str, str], Proof] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, text: RuleText, dialect: str) -> Proof:
        """Return what is known of ``text``, whose metrics have the names of ``dialect``."""
        with self._lock:
            key = text.id, dialect
            if key not in self._known:
                self._known[key] = proofread(text, dialect)
                if len(self._known) > self._limit:
                    self._known.popitem(last=False)
            self._known.move_to_end(key)
            return self._known[key]


def proofread(text: RuleText, dialect: str) -> Proof:
    """Return what is known of ``text`` without trying it. Never raises for what stands in the text."""
    with tempfile.TemporaryDirectory(prefix="firedrill-rules-") as folder:
        path = Path(folder) / text.name
        path.write_text(text.body, encoding="utf-8", errors="replace")
        try:
            (file,) = load_rule_files([str(path)])
        except BadRules as bad:
            return Proof(text, dialect, tuple(_mistakes(bad.problems, text, folder)))
        except (FaultError, StackError) as problem:
            return Proof(text, dialect, tuple(_mistakes([str(problem)], text, folder)))
    file = replace(file, path=Path(text.name))
    if sum(len(group.rules) for group in file.groups) > MOST_AT_ONCE:
        return Proof(text, dialect, file=file, unchecked=True)
    try:
        inventory = inventory_of(dialect)
    except (FaultError, StackError) as problem:
        return Proof(text, dialect, (Mistake(0, 0, str(problem)),))
    return Proof(text, dialect, file=file, findings=lint([file], inventory=inventory, scrape_s=PRODUCTION.interval_s))


def _mistakes(problems: Sequence[str], text: RuleText, folder: str) -> Iterator[Mistake]:
    for problem in problems:
        plain = problem.replace(f"{folder}/", "")
        found = _PLACE.match(plain)
        if found is None:
            yield Mistake(0, 0, plain)
        else:
            line = int(found["line"] or 0)
            yield Mistake(line, int(found["column"] or 0), found["words"], text.line(line))


@dataclass(frozen=True)
class Effort:
    """How much has to be tried."""

    scenarios: int
    lasts_s: float
    """Of each, in virtual time."""
    rate: float = RATE
    """Requests a second."""

    @property
    def requests(self) -> float:
        """Return how many requests all of it takes."""
        return self.scenarios * self.lasts_s * self.rate


def effort(horizon: Horizon, faults: Sequence[str] | None, seeds: int) -> Effort:
    """Return what a check of these options has to try; raise ``NothingToTry``."""
    return Effort((1 + len(ready_faults(faults))) * seeds, horizon.lasts_s)
