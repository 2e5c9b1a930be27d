"""What is known of the series that a rule reads: from the inventory, else from the conventions of names.

What goes by a name alone is never a proof, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from faults.drills.lint.expression import Expr, Selector
from faults.drills.lint.inventory import OWN, Inventory, Kind, Listed

_GAUGE_NAME = re.compile(
    r"_(?:size|length|depth|ratio|usage_bytes|usage_percent|utili[sz]ation|percent|celsius|temperature|limit"
    r"|free_bytes|used_bytes|available_bytes|resident_memory_bytes|in_use|in_flight|inflight|in_progress"
    r"|loaded|ready|pending|active)$"
)
"""Names that gauges have by convention, and counters do not."""


@dataclass(frozen=True)
class Known:
    """What the series of one name hold."""

    kind: Kind
    stated: bool = False
    """Whether an inventory says so; else it goes by the name."""
    certain: bool = False
    """Whether a proof may rest on it: the inventory has all that there is of the metric."""
    listed: Listed | None = None

    @property
    def by(self) -> str:
        """Return where this is known from, to be said in a message."""
        return "" if self.stated else " (by its name)"


_UNKNOWN = Known(Kind.UNKNOWN)


@dataclass(frozen=True)
class Facts:
    """All that the checks of one go share."""

    inventory: Inventory | None
    recorded: Mapping[str, Sequence[Expr]]
    """Expressions of the recording rules by the name that they record."""
    scrape_ms: int

    def known(self, selector: Selector) -> Known:
        """Return what ``selector`` selects."""
        return self.of(selector.metric)

    def of(self, name: str) -> Known:
        """Return what the series named ``name`` hold. A recorded name says nothing."""
        if not name or name in self.recorded or ":" in name:
            return _UNKNOWN
        listed = self.inventory.of(name) if self.inventory is not None else None
        if listed is not None and listed.kind is not Kind.UNKNOWN:
            stated = not listed.guessed
            return Known(listed.kind, stated=stated, certain=stated and self._is_fact(listed), listed=listed)
        if listed is None and self.is_bare(name):
            return _UNKNOWN
        return Known(_kind_by_name(name), listed=listed)

    def is_bare(self, name: str) -> bool:
        """Say whether the inventory knows ``name`` as a histogram or summary, whose series have longer names."""
        return self.inventory is not None and name not in self.recorded and self.inventory.is_bare(name)

    def _is_fact(self, listed: Listed) -> bool:
        return self.whole_families or listed.name in OWN

    @property
    def whole_families(self) -> bool:
        """Whether what the inventory lists of a metric is all that there is of it."""
        return self.inventory is not None and (self.inventory.whole_families or self.inventory.complete)

    @property
    def shapes_are_certain(self) -> bool:
        """Whether a proof may rest on the labels and the buckets that the inventory lists."""
        return self.whole_families and self.inventory is not None and not self.inventory.common_names

    def missing(self, selector: Selector) -> bool:
        """Say whether the inventory was declared complete and has no series that ``selector`` names."""
        inventory, name = self.inventory, selector.metric
        if inventory is None or not inventory.complete or not name or name in self.recorded:
            return False
        return inventory.of(name) is None


def _kind_by_name(name: str) -> Kind:
    for suffix, kind in (("_total", Kind.COUNTER), ("_bucket", Kind.BUCKET), ("_info", Kind.INFO)):
        if name.endswith(suffix):
            return kind
    return Kind.GAUGE if _GAUGE_NAME.search(name) else Kind.UNKNOWN
