"""What only some hosts can do, as protocols that a kind of fault asks its host for. No implementation here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self, runtime_checkable


class Picture(Protocol):
    """The pixels of one picture, from 0 (dark) to 1 (bright)."""

    def inverted(self) -> Self:
        """Return the negative."""

    def noisy(self, deviation: float, seed: int) -> Self:
        """Return the picture with Gaussian noise of standard deviation ``deviation``, cut off at 0 and at 1."""


@runtime_checkable
class ModelHost(Protocol):
    """A host that knows what kind of models it serves."""

    def classes_of(self, model: str) -> Sequence[str]:
        """Return what ``model`` tells apart; empty for a regressor."""

    def takes_pictures(self, model: str) -> bool:
        """Return whether the input of ``model`` is a picture."""


@runtime_checkable
class QueueHost(Protocol):
    """A host whose predictions share a queue of limited length."""

    @property
    def queue_limit(self) -> int:
        """How many predictions may wait or run at the same time."""

    def take_place(self) -> bool:
        """Take a place as a request does, and return whether there was one."""

    def give_back_place(self) -> None:
        """Give a taken place back."""


@runtime_checkable
class SpanHost(Protocol):
    """A host that sends its spans to somebody."""

    @property
    def exports_spans(self) -> bool:
        """Whether finished spans go anywhere."""


@runtime_checkable
class MetricsHost(Protocol):
    """A host that exposes metrics."""

    def exposition(self) -> str:
        """Return the metrics as they are now, as Prometheus text."""


@runtime_checkable
class LoadHost(Protocol):
    """A host that sends requests of its own at a rate, which faults may multiply."""

    @property
    def rate(self) -> float:
        """Requests per second that it is told to send, whatever faults make of it."""

    def multiply(self, holder: object, factor: float) -> None:
        """Multiply the rate by ``factor`` for ``holder`` until further notice; factors of several holders multiply."""

    def leave_alone(self, holder: object) -> None:
        """Take the factor of ``holder`` back; harmless where it has none."""


@runtime_checkable
class ProcessHost(Protocol):
    """A host from which signals reach the processes of the service."""

    @property
    def no_processes_because(self) -> str | None:
        """Why no signal reaches the service from here, as a clause; ``None`` where it does."""

    def service_processes(self) -> Mapping[int, int]:
        """Return the process id of each replica that is there now, by the replica's number; a single one is 0."""

    def expect_ends(self, holder: object, within_s: float) -> None:
        """Have whoever supervises the service start it again however often it ends, for so many seconds; 0: no more."""

    def kill(self, pid: int) -> bool:
        """End a process of the service at once; return whether it was there."""

    async def stop(self, holder: object, pids: Sequence[int], within_s: float) -> int:
        """Stop processes of the service (SIGSTOP) for ``holder``; return how many there were.

        They go on after ``within_s`` seconds at the latest, and at once when this process dies.
        """

    async def go_on(self, holder: object) -> None:
        """Let what was stopped for ``holder`` go on, unless another holder keeps it stopped; harmless when repeated."""


@runtime_checkable
class ContainerHost(Protocol):
    """A host in reach of the container engine that runs the service."""

    @property
    def no_containers_because(self) -> str | None:
        """Why no container can be acted on from here, as a clause; ``None`` where one can."""

    async def pause(self, holder: object, part: str, within_s: float) -> None:
        """Freeze the container of ``part`` for ``holder``."""

    async def take_down(self, holder: object, part: str, within_s: float) -> None:
        """Kill the container of ``part`` for ``holder``; it is not started again meanwhile."""

    async def cut_off(self, holder: object, part: str, within_s: float) -> None:
        """Disconnect the container of ``part`` from its networks for ``holder``."""

    async def restore(self, holder: object) -> None:
        """Undo what was done for ``holder``; harmless when repeated."""


@runtime_checkable
class ModelledHost(Protocol):
    """A host on a virtual clock, whose memory and processor are modelled: what burns them only says how much."""

    @property
    def available_bytes(self) -> int:
        """How much memory is left."""

    def take_memory(self, holder: object, size: int) -> None:
        """Grow by ``size`` bytes for ``holder``."""

    def give_back_memory(self, holder: object) -> None:
        """Give back all that was taken for ``holder``; harmless where that is nothing."""

    def burn(self, holder: object, threads: float, contends_for: str) -> None:
        """Have so many threads burn for ``holder`` (0.5: one for half of the time), in the way of what is named."""

    def spare(self, holder: object) -> None:
        """End what burns for ``holder``; harmless where nothing does."""

    async def hold_worker(self, period_s: float) -> None:
        """Keep a worker from predictions, when its turn comes, until the next whole multiple of ``period_s``."""


@runtime_checkable
class WorkerHost(Protocol):
    """A host whose models are called by a limited number of workers."""

    @property
    def workers(self) -> int:
        """How many there are."""

    async def run_in_worker(self, work: Callable[[], None]) -> None:
        """Have one of the workers do ``work``, when its turn comes; raise what it raises."""
