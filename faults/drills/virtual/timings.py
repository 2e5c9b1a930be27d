"""How long things take in the real service, as recorded from one, and draws from that.

``timings.json`` beside this file is such a recording, with where it came from; ``python -m
faults.drills.virtual.recorder`` makes it anew. Nothing is measured here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

FILE = Path(__file__).with_name("timings.json")
HANDLE, TRANSFER = "handle", "transfer"
"""Beside the kinds of ``service.compute``: what the event loop of the service itself needs for a request, and what
passes outside of the app, between the caller's start and the app's, and back."""


class Quantiles(BaseModel):
    """Seconds at evenly spaced levels from 0 to 1, ascending."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(ge=2, description="How many were measured.")
    seconds: tuple[float, ...] = Field(min_length=2)

    @field_validator("seconds")
    @classmethod
    def _ascending(cls, seconds: tuple[float, ...]) -> tuple[float, ...]:
        if list(seconds) != sorted(seconds) or seconds[0] < 0.0:
            raise ValueError("expected seconds of 0 or more, ascending")
        return seconds

    def at(self, level: float) -> float:
        """Return the value at ``level`` (0 to 1), straight lines between the levels that were kept."""
        seconds = self.seconds
        last = len(seconds) - 1
        place = level * last
        below = int(place) if place < last else last - 1
        low = seconds[below]
        return low + (place - below) * (seconds[below + 1] - low)


class Contended(BaseModel):
    """The same once more while so many threads burned all of the time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threads: int = Field(ge=1)
    times: dict[str, Quantiles]


class ProcessFacts(BaseModel):
    """What the service's process was like: modelled processes are like it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    starts_in_s: float = Field(gt=0.0, description="From the start of the process until it serves.")
    resident_bytes: int = Field(gt=0)
    virtual_bytes: int = Field(gt=0)
    open_fds: int = Field(gt=0)
    max_fds: int = Field(gt=0)
    cpu_start_s: float = Field(ge=0.0, description="Processor time of the start.")
    cpu_idle: float = Field(ge=0.0, description="Cores that it keeps busy with nothing to do.")
    cpu_request_s: float = Field(ge=0.0, description="Processor time of a request.")
    cores: int = Field(ge=1)


class Timings(BaseModel):
    """One recording of one real service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    origin: dict[str, str] = Field(description="When, where and how it was recorded, for people.")
    times: dict[str, Quantiles]
    contended: dict[str, Contended] = Field(description="By what the burning threads contend for.")
    process: ProcessFacts


@cache
def recorded(path: Path = FILE) -> Timings:
    """Return the recording in ``path``."""
    return Timings.model_validate_json(path.read_text(encoding="utf-8"))


class Draws:
    """Draws how long each thing takes, from a stream of random numbers of its own for each kind."""

    def __init__(self, timings: Timings, seed: str) -> None:
        self._times = timings.times
        self._contended = timings.contended
        self._dice = {kind: random.Random(f"{seed}/{kind}").random for kind in sorted(timings.times)}

    def seconds(self, kind: str, burning: Mapping[str, float]) -> float:
        """Return how long ``kind`` takes now; ``burning``: how many threads burn for what, 0.5 burns half of the time.

        What they add was recorded for a number of threads; it is taken to grow as their number does.
        """
        level = self._dice[kind]()
        seconds = calm = self._times[kind].at(level)
        for what, threads in burning.items():
            contended = self._contended.get(what)
            if contended is not None and kind in contended.times:
                more = contended.times[kind].at(level) - calm
                seconds += max(0.0, more) * threads / contended.threads
        return seconds
