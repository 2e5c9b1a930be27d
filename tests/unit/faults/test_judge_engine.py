"""The judge's own Prometheus: what it takes in, how it is bounded, how it ends, and what happens when it is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cramjam
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.drills.judge import judge as judge_module
from faults.drills.judge.engine import Engine
from faults.drills.judge.errors import EngineDied, EngineFailed, SamplesRefused
from faults.drills.judge.judge import Judge
from faults.drills.judge.questions import Found
from faults.drills.judge.remote_write import EARLIEST_MS, LATEST_MS, samples_of
from faults.drills.virtual.recording import STALE_BITS, Labels
from tests.levels import thorough
from tests.unit.faults.judged_series import recording, rules_of

_BASE_MS = 40_000_000_000
_RULES = "groups: [{name: g, rules: [{alert: A, expr: m > 1, for: 30s}]}]"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """Yield an engine for all tests that only write and ask."""
    started = Engine(lookback_s=300.0, query_timeout_s=5.0)
    yield started
    started.close()


def _wait_for(check: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _series(name: str, values: list[float], *, stale: int = -1, **labels: str) -> tuple[Labels, np.ndarray, np.ndarray]:
    held = np.array(values, np.float64)
    if stale >= 0:
        held.view(np.uint64)[stale] = STALE_BITS
    times = np.arange(len(values), dtype=np.int64) * 15_000
    return tuple(sorted({"__name__": name, **labels}.items())), times, held


def test_samples_arrive_bit_by_bit(engine: Engine) -> None:
    """Smallest and largest numbers, infinities, no number at all, and a stale marker that ends the series."""
    values = [0.1 + 0.2, 5e-324, -1.7976931348623157e308, np.inf, -np.inf, np.nan, -0.0, 1.0, 9.0]
    text = 'é "quoted" \\ and\nmore'
    engine.questions.write(samples_of([_series("bits", values, stale=8, text=text)]).requests(_BASE_MS))
    (found,) = engine.questions.over("bits", _BASE_MS, _BASE_MS + 8 * 15_000, 15_000)
    assert found.labels == {"__name__": "bits", "text": text}
    assert found.times_ms == tuple(_BASE_MS + 15_000 * index for index in range(8))
    assert np.array(found.values).tobytes() == np.array(values[:8]).tobytes()


def test_a_series_ends_with_its_marker_and_without_one_is_looked_back_for(engine: Engine) -> None:
    """Five minutes later the one is still there, the other not."""
    ended = _series("ending", [1.0, 1.0, 0.0], stale=2, kind="marked")
    engine.questions.write(samples_of([ended, _series("ending", [1.0, 1.0], kind="bare")]).requests(_BASE_MS))
    found = engine.questions.at("ending", _BASE_MS + 60_000)
    assert [one.labels["kind"] for one in found] == ["bare"]
    assert engine.questions.at("ending", _BASE_MS + 15_000 + 300_001) == ()


def test_many_samples_go_in_several_requests_and_come_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Series larger and smaller than a request; more points than Prometheus answers with at once."""
    monkeypatch.setattr("faults.drills.judge.remote_write.MOST_SAMPLES", 5_000)
    times = np.arange(12_000, dtype=np.int64) * 1000
    long = ((("__name__", "many"), ("n", "long")), times, np.sqrt(times))
    short = [((("__name__", "many"), ("n", str(index))), times[:40], times[:40] * 1.0) for index in range(30)]
    requests = list(samples_of([long, *short, _series("empty", [])]).requests(_BASE_MS))
    assert len(requests) == 3
    engine.questions.write(requests)
    (found,) = engine.questions.over('many{n="long"}', _BASE_MS, _BASE_MS + 11_999_000, 1000)
    assert found == Found({"__name__": "many", "n": "long"}, tuple(times + _BASE_MS), tuple(np.sqrt(times)))
    (count,) = engine.questions.at('count(count_over_time(many{n!="long"}[1m]) == 40)', _BASE_MS + 39_500)
    assert count.values == (30.0,)


@given(st.integers(EARLIEST_MS, LATEST_MS), st.floats(allow_nan=False))
def test_a_sample_is_encoded_as_protobuf_has_it(at_ms: int, value: float) -> None:
    """Held against a varint of one's own, at any time that the encoding takes."""
    labels = (("__name__", "m" * 200),)
    samples = samples_of([(labels, np.array([at_ms], np.int64), np.array([value]))])
    message = bytes(cramjam.snappy.decompress_raw(next(samples.requests(0))))
    stamp, rest = bytearray(), at_ms
    while rest:
        stamp.append(rest & 0x7F | (0x80 if rest > 0x7F else 0))
        rest >>= 7
    sample = b"\x09" + np.array([value]).tobytes() + b"\x10" + bytes(stamp)
    label = b"\x0a\x08__name__\x12\xc8\x01" + b"m" * 200
    series = (
        b"\x0a" + bytes([len(label) & 0x7F | 0x80, len(label) >> 7]) + label + b"\x12" + bytes([len(sample)]) + sample
    )
    assert message == b"\x0a" + bytes([len(series) & 0x7F | 0x80, len(series) >> 7]) + series


def test_times_that_do_not_fit_and_requests_that_are_none_are_refused(engine: Engine) -> None:
    """A year before 1971 is a bug of ours, and what the engine refuses is said in its words."""
    with pytest.raises(ValueError, match="1971"):
        next(samples_of([_series("early", [1.0])]).requests(0))
    with pytest.raises(SamplesRefused, match="status 400"):
        engine.questions.write([b"rubbish"])


def test_a_slow_rule_ends_as_an_error_and_the_others_are_judged() -> None:
    """It is not asked for again; one that would load too much does not fill the memory either."""
    slow = "max_over_time((sum(rate(m[1m])))[5d:100ms]) > 1e9"
    large = "count(quantile_over_time(0.5, (m)[2d:1ms])) > 1e9"
    rules = rules_of(
        f"groups: [{{name: g, rules: [{{alert: Slow, expr: '{slow}'}}, {{alert: Large, expr: '{large}'}},"
        " {alert: A, expr: m > 1}]}]"
    )
    with Judge.started(query_timeout_s=0.7) as judge:
        judged = judge.judge(recording({"m": "0x4 5x15"}, lasts_s=300), [rules])
        assert slow in judge._given_up
    for phase in judged.phases:
        first, second, last = phase.alerts
        assert "timed out" in first.error
        assert second.error
        assert (first.lives, second.lives) == ((), ())
        assert (last.error, len(last.lives)) == ("", 1)


def test_an_engine_that_dies_is_an_error_and_the_next_judgement_has_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between writing and asking; nothing hangs, nothing is left behind."""
    recorded, rules = recording({"m": "0x4 5x15"}, lasts_s=300), rules_of(_RULES)
    original = judge_module.Hearing.run
    with Judge.started() as judge:
        first = judge._engine

        def killed(*arguments: object, **more: bool) -> None:
            os.kill(first.pid, signal.SIGKILL)
            original(*arguments, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(judge_module.Hearing, "run", killed)
        with pytest.raises(EngineDied, match="try again"):
            judge.judge(recorded, [rules])
        monkeypatch.undo()
        judged = judge.judge(recorded, [rules])
        assert judged.phases[0].alerts[0].lives[0].fired_at == 105.0
        assert judge._engine is not first
        assert not first.folder.exists()


def test_an_engine_that_is_used_up_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """By samples, and by time: worlds of rules that look back for years do not fit often between 1971 and now."""
    far = rules_of("groups: [{name: g, rules: [{alert: A, expr: 'max_over_time(m[20y]) > 1'}]}]")
    with Judge.started() as judge:
        first = judge._engine
        one = [judge.judge(recording({"m": "0x4 5x15"}, lasts_s=300), [far]).phases[0].alerts[0] for _ in range(4)]
        assert {course.lives[0].active_at for course in one} == {75.0}
        assert judge._engine is not first
        second = judge._engine
        monkeypatch.setattr(judge_module, "MOST_SAMPLES", 10)
        judge.judge(recording({"m": "0x4 5x15"}, lasts_s=300), [far])
        assert judge._engine is not second


def test_two_judges_at_once_do_not_see_each_other() -> None:
    """Each on a port and in a folder of its own; their verdicts are those of their own samples."""
    rules = rules_of(_RULES)
    with Judge.started() as one, Judge.started(lookback_s=20.0) as other:
        assert one._engine.url != other._engine.url
        assert one.engine == other.engine
        assert one.engine.startswith("Prometheus ")
        gap = recording({"m": "5 5 _x4 5 5 5"}, lasts_s=120)
        assert len(one.judge(gap, [rules]).phases[0].alerts[0].lives) == 1
        assert len(other.judge(gap, [rules]).phases[0].alerts[0].lives) == 2


@thorough
def test_the_engine_and_its_folder_are_gone_when_we_are_killed(tmp_path: Path) -> None:
    """Kill -9 leaves neither a process nor a folder; leaving the block, by an interrupt too, does not either."""
    program = (
        "import sys\nfrom faults.drills.judge.judge import Judge\nwith Judge.started() as judge:\n"
        "    print(judge._engine.pid, judge._engine.folder, flush=True)\n    sys.stdin.read()\n"
    )
    for ending in (signal.SIGKILL, signal.SIGINT):
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        assert child.stdout is not None
        try:
            pid, folder = child.stdout.readline().decode().split()
            assert psutil.pid_exists(int(pid))
            assert Path(folder).parent == tmp_path
            child.send_signal(ending)
            child.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            child.communicate()
        _wait_for(lambda pid=pid: not _runs(int(pid)), "the engine is gone")  # type: ignore[misc]
        _wait_for(lambda: not list(tmp_path.iterdir()), "its folder is gone")


def test_a_program_that_is_no_prometheus_is_a_clear_error(tmp_path: Path) -> None:
    """With what it said; nothing is left in the temporary folder."""
    fake = tmp_path / "prometheus"
    fake.write_text("#!/bin/sh\necho no such flag\nexit 3\n", encoding="utf-8")
    fake.chmod(0o755)
    with pytest.raises(EngineFailed, match=r"exit code 3.*no such flag"):
        Engine(lookback_s=300.0, query_timeout_s=5.0, program=fake)
    with pytest.raises(EngineFailed, match="did not start"):
        Engine(lookback_s=300.0, query_timeout_s=5.0, program=tmp_path / "missing")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
