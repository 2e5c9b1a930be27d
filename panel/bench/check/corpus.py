"""How long the checks take over the project's own corpus of rules, and how many of their verdicts are wrong there."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from faults.drills.lint.inventory import Inventory, read_inventory
from faults.drills.lint.lint import lint
from panel.bench.figures import Figure
from stack.rules.file import RuleFile
from stack.rules.read import load_rules

CORPUS = Path(__file__).parents[3] / "tests" / "unit" / "faults" / "corpus"
ROUNDS = 5
MOST_S = 3.0
LEAST_RULES = 200
_WITH_INVENTORY = ("known", "complete")


def measure_corpus(say: Callable[[str], None], *, rounds: int = ROUNDS) -> list[Figure]:
    """Return the time of the checks, the size of the corpus and the number of wrong verdicts."""
    name = "the checks over the corpus, read and checked"
    if not CORPUS.is_dir():
        return [Figure(name, None, "s", MOST_S, note="the corpus lies with the tests of a checkout, and this is none")]
    say("the checks over the corpus")
    times: list[float] = []
    wrong, rules = 0, 0
    for _ in range(rounds + 1):
        began = time.perf_counter()
        counts = [_checked(path) for path in sorted(CORPUS.glob("*.yml"))]
        times.append(time.perf_counter() - began)
        rules, wrong = (sum(column) for column in zip(*counts, strict=True))
    return [
        Figure(name, round(statistics.median(times[1:]), 2), "s", MOST_S),
        Figure("wrong verdicts in the corpus", wrong, "rules", 0.0),
        Figure("rules in the corpus", rules, "rules", LEAST_RULES, "at least"),
    ]


def _checked(path: Path) -> tuple[int, int]:
    """Return how many rules the file has, and how many have other findings than their label ``expect`` names."""
    file = load_rules(path)
    found: dict[int, list[str]] = defaultdict(list)
    for one in lint([file], inventory=_inventory(path)):
        found[one.place.line].append(f"{one.check}{'!' if one.cannot_fire else ''}")
    expected = _expected(file)
    return len(expected), sum(sorted(found[line]) != sorted(words) for line, words in expected.items())


def _expected(file: RuleFile) -> dict[int, list[str]]:
    rules = (rule for group in file.groups for rule in group.rules)
    return {rule.line: rule.labels.get("expect", "").split() for rule in rules}


def _inventory(path: Path) -> Inventory | None:
    if path.stem not in _WITH_INVENTORY:
        return None
    text = (CORPUS / "known.prom").read_text(encoding="utf-8")
    return read_inventory(text, "known.prom", complete=path.stem == "complete")
