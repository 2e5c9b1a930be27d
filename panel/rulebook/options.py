"""What is to be tried, as the page asks for it: dialect, faults, virtual time, seeds. It stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import streamlit as st

from faults.drills.check.scenarios import ready_faults
from panel.rulebook.address import DIALECT
from panel.rulebook.questions import CheckQuestion
from panel.rulebook.texts import RuleText
from stack.own.dialects import BUILT_IN

TIMES_S: Mapping[str, float | None] = MappingProxyType(
    {
        "as needed": None,
        "10 min": 600.0,
        "30 min": 1800.0,
        "1 h": 3600.0,
        "2 h": 7200.0,
        "4 h": 14_400.0,
    }
)
SEEDS = (1, 2, 3, 5)
CALM_ALONE = "no fault: the steady state alone"


@dataclass(frozen=True)
class Tried:
    """What is to be tried with every rule."""

    dialect: str
    faults: tuple[str, ...] | None
    for_s: float | None
    seeds: int

    def check(self, text: RuleText) -> CheckQuestion:
        """Return the question what the alerts of ``text`` are worth."""
        return CheckQuestion(
            name=text.name,
            body=text.body,
            dialect=self.dialect,
            for_s=self.for_s,
            seeds=self.seeds,
            faults=self.faults,
        )


def chosen() -> Tried:
    """Draw the choices and return what was chosen."""
    names, faults, time, seeds = st.columns([1.1, 2.2, 1, 0.8], vertical_alignment="top")
    dialects = ["", *sorted(path.stem for path in BUILT_IN.glob("*.yaml"))]
    dialect = names.selectbox(
        "Metric names",
        dialects,
        key=DIALECT,
        format_func=lambda name: f"dialect {name}" if name else "the service's own",
        bind="query-params",
        help="Under which names your rules know the metrics. The service is scraped under these names.",
    )
    ready = [one.name for one in ready_faults()]
    wanted = faults.multiselect(
        "Faults to try",
        [CALM_ALONE, *ready],
        key="rules-faults",
        placeholder=f"all {len(ready)}, and the steady state",
        bind="query-params",
        help="Each is lit once in a world of its own, strong on purpose. The steady state is always tried.",
    )
    length = time.selectbox(
        "Virtual time each",
        list(TIMES_S),
        key="rules-for",
        bind="query-params",
        help="As needed: until the windows and `for` of these rules have passed. Nobody waits for it.",
    )
    count = seeds.selectbox(
        "Seeds",
        SEEDS,
        key="rules-seeds",
        bind="query-params",
        help="Each is seen at three phases of scrapes by two of evaluations.",
    )
    return Tried(dialect, _named(wanted, ready), TIMES_S[length], count)


def _named(wanted: list[str], ready: list[str]) -> tuple[str, ...] | None:
    """Return the faults in their own order, so that the same choice is the same question."""
    if not wanted:
        return None
    return tuple(name for name in ready if name in wanted)
