"""A host for tests of kinds: models by name alone, and a queue that is a number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from faults.host import BareHost

CLASSES = {"iris": ("setosa", "versicolor", "virginica"), "churn": ("no", "yes"), "housing": (), "digits": ("0", "1")}


class ModelsOnPaper(BareHost):
    """A host of models that nobody loads, with a queue of ten places."""

    def __init__(self) -> None:
        self.taken = self.busy = 0
        self._pool = ThreadPoolExecutor(self.workers)

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(CLASSES)

    def classes_of(self, model: str) -> tuple[str, ...]:
        """Return what they tell apart."""
        return CLASSES[model]

    def takes_pictures(self, model: str) -> bool:
        """One of them does."""
        return model == "digits"

    @property
    def queue_limit(self) -> int:
        """Ten."""
        return 10

    def take_place(self) -> bool:
        """Take one of ten."""
        if self.taken >= 10:
            return False
        self.taken += 1
        return True

    def give_back_place(self) -> None:
        """Give it back."""
        self.taken -= 1

    @property
    def exports_spans(self) -> bool:
        """It does."""
        return True

    @property
    def workers(self) -> int:
        """Two."""
        return 2

    async def run_in_worker(self, work: Callable[[], None]) -> None:
        """Have one of them do it."""

        def worked() -> None:
            self.busy += 1
            work()
            self.busy -= 1

        await asyncio.get_running_loop().run_in_executor(self._pool, worked)

    def close(self) -> None:
        """End the workers."""
        self._pool.shutdown()
