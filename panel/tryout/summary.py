"""Several answers in a few lines: how often each outcome came, and how long they took. No Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from panel import formats
from stack.clients.service import Answer

NOT_ITS_OWN = "an error that is not the service's own"


@dataclass(frozen=True)
class Summary:
    """Outcomes in words with their numbers, the commonest first; times in seconds."""

    outcomes: tuple[tuple[str, int], ...]
    fastest_s: float
    median_s: float
    slowest: Answer


def summed_up(answers: Sequence[Answer]) -> Summary:
    """Return the summary of at least one answer."""
    times = [answer.duration_s for answer in answers]
    return Summary(
        tuple(Counter(map(outcome, answers)).most_common()),
        min(times),
        median(times),
        max(answers, key=lambda answer: answer.duration_s),
    )


def outcome(answer: Answer) -> str:
    """Return what came of one request in a few words: its class or value, or its status and error."""
    if answer.prediction is not None:
        said = answer.prediction
        return f"{answer.status}: {said.label or formats.quantity(said.value, '1')}"
    kind = answer.refusal.type if answer.refusal is not None else ""
    return f"{answer.status}: {kind or NOT_ITS_OWN}"
