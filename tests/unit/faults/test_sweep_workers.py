"""Workers compute what they are given, in processes that end with them, however that comes about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from faults.drills.check.workers import NoCluster, Workers, WorkersLost

ROOT = Path(__file__).resolve().parents[3]


def _squared(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def _dying(number: int) -> int:
    if number:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def _failing(number: int) -> int:
    raise ValueError(str(number))


def _gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_one_job_computes_in_this_process() -> None:
    """With a single job nothing is started."""
    with Workers.started(1) as workers:
        assert list(workers.each(_squared, [1, 2, 3])) == [(1, os.getpid()), (4, os.getpid()), (9, os.getpid())]


def test_processes_stay_for_the_next_sweep_fail_alone_and_are_gone_afterwards() -> None:
    """The same processes serve two sweeps, an error of one part is raised as it is, and at the end none is left."""
    with Workers.started(2) as workers:
        first = list(workers.each(_squared, range(6)))
        second = list(workers.each(_squared, range(6)))
        children = [psutil.Process(pid) for pid in {pid for _, pid in first + second}]
        with pytest.raises(ValueError, match="7"):
            list(workers.each(_failing, [7]))
    assert sorted(value for value, _ in first) == [0, 1, 4, 9, 16, 25]
    assert 1 <= len(children) <= 2
    assert os.getpid() not in {child.pid for child in children}
    assert _within(10.0, lambda: all(map(_gone, children)))


def test_a_process_that_dies_is_said_to_have_died() -> None:
    """Where a part is killed, as a machine without memory would, the error says so and what to do."""
    with Workers.started(2) as workers, pytest.raises(WorkersLost, match="--jobs 1"):
        list(workers.each(_dying, [0, 1, 1]))


def test_a_sweep_that_is_left_early_leaves_no_process() -> None:
    """Whoever stops asking for results ends the work on them."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with Workers.started(2) as workers:
        results = workers.each(_squared, range(50))
        next(results)
        begun = [one for one in psutil.Process().children(recursive=True) if one.pid not in before]
    working = [one for one in begun if "resource_tracker" not in " ".join(_arguments(one))]
    assert _within(10.0, lambda: all(map(_gone, working)))


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, ended_by: signal.Signals) -> None:
    """Neither Ctrl-C nor a kill leaves a worker behind."""
    program = tmp_path / "sweeping.py"
    program.write_text(
        textwrap.dedent(
            """
            import signal
            import time
            from faults.drills.check.workers import Workers

            signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests aside

            def slow(number):
                time.sleep(0.5)
                return number

            with Workers.started(2) as workers:
                for number in workers.each(slow, range(400)):
                    print(number, flush=True)
            """
        ),
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    process = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(ended_by)
    process.wait(20)
    process.stdout.close()
    assert len(children) >= 2
    assert _within(20.0, lambda: all(map(_gone, children)))


def test_a_cluster_that_is_not_there_is_named() -> None:
    """An address nobody listens on, and none at all, are clear errors."""
    pytest.importorskip("distributed")
    with pytest.raises(NoCluster, match="no scheduler is named"), Workers.started(backend="dask"):
        pass
