"""What ends a drill at once: PromQL conditions, at the stack's pace. It asks Prometheus and ends nothing itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import dataclass

from faults.drills.parts import AbortCondition
from stack.clients.prometheus import PrometheusClient, Sample
from stack.pace import Pace
from stack.rules.scale import scale_expr


@dataclass(frozen=True)
class Met:
    """A condition that holds, with the sentence that says so."""

    index: int
    sentence: str


class AbortConditions:
    """The abort conditions of one drill."""

    def __init__(self, conditions: Iterable[AbortCondition], pace: Pace) -> None:
        """Raise ``UnscalableExpression`` where one of them cannot be brought to ``pace``."""
        self._conditions = tuple((one, scale_expr(one.promql, pace.factor)) for one in conditions)

    @property
    def exprs(self) -> tuple[str, ...]:
        """The conditions at the stack's pace."""
        return tuple(expr for _, expr in self._conditions)

    async def met(self, prometheus: PrometheusClient) -> Met | None:
        """Return the first condition that holds now; raise ``SourceError`` where that cannot be found out."""
        for index, (condition, expr) in enumerate(self._conditions):
            result = await asyncio.to_thread(prometheus.query, expr)
            found = next((sample for sample in result if _holds(sample, result)), None)
            if found is not None:
                text = " ".join(condition.promql.split())
                return Met(index, f"{condition.reason}: `{text}` is {found.value:.4g}{_of(found)}")
        return None


def _holds(sample: Sample, result: tuple[Sample, ...]) -> bool:
    """Any value that is a number counts; 0 does not where it is all there is and bears no labels, as a scalar."""
    if math.isnan(sample.value):
        return False
    return bool(sample.value) or len(result) > 1 or bool(sample.labels)


def _of(sample: Sample) -> str:
    shown = ", ".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()) if name != "__name__")
    return f" ({shown})" if shown else ""
