"""Where the many parts of a sweep are computed: in this process, in processes of this machine, or on a Dask cluster.

All through joblib. Whatever ends a sweep, Ctrl-C among it, ends the processes too. It knows nothing of what it runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, Protocol, TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import BrokenProcessPool

from faults.drills.check.errors import CheckError

Backend = Literal["loky", "dask"]
IDLE_S = 300.0
"""After so long without work a process ends by itself."""
CONNECT_S = 10.0
_PR_SET_PDEATHSIG = 1
T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class WorkersLost(CheckError):  # noqa: N818 - reads as a fact where it is raised
    """A process that computed a part of a sweep died."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"a process of the sweep died ({reason}); where memory ran out, try fewer at once with --jobs 1"
        )


class NoCluster(CheckError):  # noqa: N818 - as above
    """There is no Dask cluster where one was said to be, or nothing to reach one with."""

    def __init__(self, scheduler: str, reason: str) -> None:
        self.scheduler, self.reason = scheduler, reason
        super().__init__(
            f"no Dask cluster at {scheduler or 'no address'}: {reason}; "
            "give --scheduler ADDRESS of one that runs, with Firedrill installed on its workers"
        )


class Each(Protocol[T_contra, R_co]):
    """One part of a sweep; it has to be a function of a module, so that another process finds it."""

    def __call__(self, item: T_contra, /) -> R_co:
        """Return what became of ``item``."""


class Workers:
    """Computes parts as they come; made by ``Workers.started``."""

    def __init__(self, jobs: int, parallel: Callable[[], Any] | None, *, forks: bool = False) -> None:
        self.jobs = jobs
        """How many parts are computed at once."""
        self.forks = forks
        """Whether parts are computed in processes that have nothing else to do, so that they may fork."""
        self._parallel = parallel
        self.begun: Generator[Any] | None = None
        """The results of the latest parts, until somebody has asked for all of them."""

    @classmethod
    @contextmanager
    def started(cls, jobs: int = 0, *, backend: Backend = "loky", scheduler: str = "") -> Iterator[Workers]:
        """Yield workers, ``jobs`` at once (0: one for each core); raise ``NoCluster``.

        Processes start with the first parts, stay for the next ones, and are gone afterwards.
        """
        count = jobs or joblib.cpu_count()
        if backend == "dask":
            with _cluster(scheduler) as (cores, parallel), _ending(cls(cores, parallel)) as workers:
                yield workers
        elif count == 1:
            yield cls(1, None)
        else:
            workers = cls(count, _processes(count), forks=True)
            try:
                with _ending(workers):
                    yield workers
            finally:
                if workers.begun is not None:
                    with _uninterrupted():
                        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)

    def each(self, perform: Each[T, R], items: Sequence[T]) -> Iterator[R]:
        """Begin with ``items`` and return an iterator over what ``perform`` makes of them, as they are done.

        It raises what ``perform`` raises, and ``WorkersLost``. In this process work goes on as results are asked for.
        """
        if self._parallel is None or not items:
            return map(perform, items)
        with _uninterrupted():
            results: Generator[R] = self._parallel()(joblib.delayed(perform)(item) for item in items)
            self.begun = results
        return _told(results)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let Ctrl-C wait for a moment: a pool that is half started, or half ended, can neither go on nor end.

    Processes that start meanwhile never hear of it, whose end is this process's business. A signal that another thread
    takes is kept for afterwards: its handler runs in this one, blocked or not.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    kept: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: kept.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
        if kept:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _ending(workers: Workers) -> Iterator[Workers]:
    """Yield ``workers``, and give up what nobody asked for the results of."""
    try:
        yield workers
    finally:
        if workers.begun is not None:
            with _uninterrupted():
                _close(workers.begun)


def _told(results: Generator[R]) -> Iterator[R]:
    try:
        yield from results
    except BrokenProcessPool as lost:
        raise WorkersLost(str(lost).splitlines()[0]) from None
    finally:
        _close(results)


def _close(results: Generator[Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of leaving early, which is what is meant
        results.close()


def _processes(count: int) -> Callable[[], Any]:
    def parallel() -> joblib.Parallel:
        return joblib.Parallel(
            n_jobs=count,
            backend="loky",
            return_as="generator_unordered",
            batch_size=1,
            max_nbytes=None,
            idle_worker_timeout=IDLE_S,
            initializer=_bound,
            initargs=(os.getpid(),),
        )

    return parallel


def _bound(parent: int) -> None:
    """Bind this process to the one that started it.

    It ends with it, where the system can do that, and leaves Ctrl-C, which a terminal sends to all, to that one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _cluster(scheduler: str) -> Iterator[tuple[int, Callable[[], Any]]]:
    """Yield the cores of the cluster at ``scheduler``, and how to compute on it."""
    try:
        import distributed  # noqa: PLC0415 - an option, and slow to load
    except ImportError:
        raise NoCluster(scheduler, "Dask is not installed here (`pip install distributed`)") from None
    if not scheduler:
        raise NoCluster(scheduler, "no scheduler is named")
    connect: Any = distributed.Client
    try:
        client = connect(scheduler, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise NoCluster(scheduler, " ".join(str(problem).split()) or type(problem).__name__) from None
    try:
        cores = sum(client.ncores().values())
        if not cores:
            raise NoCluster(scheduler, "it has no workers")

        def parallel() -> joblib.Parallel:
            with joblib.parallel_config(backend="dask", client=client):
                return joblib.Parallel(n_jobs=-1, return_as="generator_unordered", batch_size=1)

        yield cores, parallel
    finally:
        client.close()
