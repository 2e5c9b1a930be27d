"""What the supervisor tells while it works: one small message a happening, for the terminal and for ``up --detach``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EventKind = Literal[
    "preparing",  # a program is looked up or fetched, configuration is written
    "starting",  # a component's process was started
    "ready",  # a component answers its probe
    "up",  # every component is ready
    "ended",  # a component ended unasked; it is started again
    "gave up",  # a component keeps ending; it is left alone
    "failed",  # the stack did not come up
    "stopping",  # the stack was asked to stop
    "stopped",  # a component was stopped; without a component: all of them
]


class Event(BaseModel):
    """One happening. ``component`` is empty where it is about the whole stack; ``at`` in Unix seconds."""

    model_config = ConfigDict(frozen=True)

    kind: EventKind
    component: str = ""
    text: str
    at: float = Field(default_factory=time.time)
    seconds: float | None = Field(default=None, description="How long it took, where that is known.")
    log: tuple[str, ...] = Field(default=(), description="The last lines of the component's log, for `failed`.")


OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Take an event and do nothing."""


def written_to(descriptor: int) -> OnEvent:
    """Return a callback that writes events to ``descriptor``, one JSON line each, as long as somebody reads them."""
    stream = os.fdopen(descriptor, "wb", buffering=0)
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - positional only in the standard library

    def tell(event: Event) -> None:
        if not stream.closed:
            try:
                stream.write(event.model_dump_json().encode() + b"\n")
            except OSError:  # the reader has what it waited for, or is gone
                stream.close()

    return tell


def read_from(descriptor: int) -> Iterator[Event]:
    """Yield the events that a process writes to the other end of ``descriptor``, until it closes that or ends."""
    with os.fdopen(descriptor, "rb") as stream:
        for line in stream:
            yield Event.model_validate_json(line)
