"""All that the rules page asks, shared by all viewers: texts by content, what is known of them, jobs and answers.

What it takes to read and try rules is loaded when somebody first opens the page.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from panel.access.guarded import Allow, everyone
from panel.rulebook.examples import examples
from panel.rulebook.texts import RuleText, Texts

if TYPE_CHECKING:
    from panel.rulebook.proofreading import Effort, Proofreader
    from panel.rulebook.workbench import Workbench

REQUEST_CPU_S = 0.0008
"""A first guess at what one virtual request costs a core, judging included; later the figure of jobs here counts."""
START_S = 4.0
"""What every job takes before the first scenario."""


@dataclass(frozen=True)
class Guess:
    """How long a job takes, and whether that was learnt from one that ran here."""

    seconds: float
    learnt: bool


class Rulebook:
    """The texts, the proofreader and the workbench of one panel. Nothing starts before somebody asks."""

    def __init__(self, artifacts: Path, *, jobs: int = 0, cached: bool = True, allow: Allow = everyone) -> None:
        self.texts = Texts()
        self._artifacts, self._jobs, self._cached, self._allow = artifacts, jobs, cached, allow
        self._cores = jobs or os.cpu_count() or 1
        self._loading = threading.Lock()

    @property
    def proofreader(self) -> Proofreader:
        """What reads texts at once."""
        with self._loading:
            return self._proofreader

    @property
    def workbench(self) -> Workbench:
        """What tries them, in processes of their own."""
        with self._loading:
            return self._workbench

    @cached_property
    def _proofreader(self) -> Proofreader:
        from panel.rulebook.proofreading import Proofreader  # noqa: PLC0415 - see above

        return Proofreader()

    @cached_property
    def _workbench(self) -> Workbench:
        from panel.rulebook.workbench import Workbench  # noqa: PLC0415 - see above

        return Workbench(self._artifacts, jobs=self._jobs, cached=self._cached, allow=self._allow)

    def text(self, text_id: str) -> RuleText | None:
        """Return the text of that id, or the example of that name; ``None`` where it is neither."""
        known = self.texts.get(text_id)
        if known is None and text_id in examples():
            return examples()[text_id].text
        return known

    def guess(self, effort: Effort) -> Guess:
        """Return about how long it takes to try ``effort`` where nothing of it is known yet."""
        from panel.rulebook.answers import CheckAnswer  # noqa: PLC0415 - see above

        for job in self.workbench.finished():
            found = job.answered(CheckAnswer)
            if found is not None and not job.progress.kept:
                result = found.result
                requests = len(result.scenarios) * len(result.seeds) * result.lasted_s * effort.rate
                rate_s = max(0.0, result.took_s) / max(1.0, requests)
                return Guess(START_S + rate_s * effort.requests, learnt=True)
        return Guess(START_S + REQUEST_CPU_S * effort.requests / self._cores, learnt=False)
