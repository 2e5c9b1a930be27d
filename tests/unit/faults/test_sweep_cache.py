"""Results are kept by content: what is damaged, foreign or too much is gone without harm."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faults.drills.check import cache as module
from faults.drills.check.cache import Cache
from faults.drills.check.fingerprint import judgement_key, models_hash, recording_key
from faults.drills.check.horizon import Horizon
from faults.drills.check.scenarios import fault_scenarios, steady
from faults.drills.virtual.recording import RecordedSeries
from faults.drills.virtual.scenario import Scenario

KEY = "ab" * 32


def _series(count: int, *, seed: int = 1) -> RecordedSeries:
    values = np.random.default_rng(seed).random(count)
    return RecordedSeries((("__name__", "up"),), np.arange(count, dtype=np.int64), values)


def test_what_was_put_is_got_as_it_was(tmp_path: Path) -> None:
    """Scenarios with all their parts, and arrays bit for bit."""
    cache = Cache(tmp_path / "kept")
    burning = fault_scenarios(Horizon(60.0, 60.0, 60.0), named=["error"], metrics=frozenset({"up"}))[0]
    cache.put(KEY, burning)
    assert cache.get(KEY, Scenario) == burning
    assert cache.get(KEY, RecordedSeries) is None
    cache.put(KEY, _series(50))
    found = cache.get(KEY, RecordedSeries)
    assert found is not None
    assert found.values.tobytes() == _series(50).values.tobytes()
    assert found.times_ms.dtype == np.int64


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body[: len(body) // 2],
        lambda body: body[:-1] + bytes([body[-1] ^ 1]),
        lambda _: b"",
        lambda _: b"something else",
    ],
)
def test_a_damaged_entry_is_none_and_is_written_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Whatever happened to a file, it is as if it had never been there."""
    cache = Cache(tmp_path)
    cache.put(KEY, steady(60.0))
    (path,) = (one for one in tmp_path.rglob("*") if one.is_file())
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get(KEY, Scenario) is None
    cache.put(KEY, steady(60.0))
    assert cache.get(KEY, Scenario) == steady(60.0)


class _Harmful:
    """What somebody might have put into the folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (self._path,)


def test_an_entry_that_would_run_something_runs_nothing(tmp_path: Path) -> None:
    """Only plain values of ours are read; nothing else is called, whatever its hash says."""
    cache, harm = Cache(tmp_path / "kept"), tmp_path / "harm"
    cache.put(KEY, _Harmful(harm))
    assert cache.has(KEY)
    assert cache.get(KEY, object) is None
    assert not harm.exists()
    pickle.loads(pickle.dumps(_Harmful(harm)))  # noqa: S301 - shows that it would have
    assert harm.exists()


def test_it_holds_no_more_than_it_may_and_forgets_the_oldest_first(tmp_path: Path) -> None:
    """What was asked for lately stays."""
    cache = Cache(tmp_path, most_bytes=40_000)
    keys = [f"{number:064x}" for number in range(12)]
    for number, key in enumerate(keys):
        cache.put(key, _series(800, seed=number))
        path = tmp_path / key[:2] / key
        if path.exists():
            os.utime(path, (number, number))
        assert cache.get(keys[0], RecordedSeries) is not None, "it was asked for before each of the others"
    held = sum(one.stat().st_size for one in tmp_path.rglob("*") if one.is_file())
    assert held <= 40_000
    assert cache.get(keys[1], RecordedSeries) is None
    assert cache.get(keys[-1], RecordedSeries) is not None


def test_a_folder_that_cannot_be_written_keeps_nothing_and_hurts_nobody(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    cache = Cache(tmp_path / "taken")
    cache.put(KEY, steady(60.0))
    assert cache.get(KEY, Scenario) is None


def test_the_key_of_a_recording_has_all_that_it_depends_on(tmp_path: Path) -> None:
    """Another seed, another model, another dialect file of one's own: another key; else the same, in any process."""
    artifacts, own = tmp_path / "artifacts", tmp_path / "own.yaml"
    manifest = artifacts / "iris" / "1.0.0" / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"files": {"model": "aa"}, "trained_at": "today"}', encoding="utf-8")
    own.write_text("one", encoding="utf-8")
    scenario = steady(60.0, metrics=frozenset({"b", "a", "c"}), dialect=str(own))
    key = recording_key(scenario, artifacts)
    assert recording_key(steady(60.0, metrics=frozenset({"c", "b", "a"}), dialect=str(own)), artifacts) == key
    assert recording_key(replace(scenario, seed=2), artifacts) != key
    own.write_text("two", encoding="utf-8")
    assert recording_key(scenario, artifacts) != key
    before = models_hash(artifacts)
    manifest.write_text('{"files": {"model": "aa"}, "trained_at": "later"}', encoding="utf-8")
    assert models_hash(artifacts) == before
    manifest.write_text('{"files": {"model": "bb"}}', encoding="utf-8")
    assert models_hash(artifacts) != before
    assert judgement_key(key, 1, "x") == judgement_key(key, 1, "x") != judgement_key(key, 2, "x")


def test_entries_lie_in_the_cache_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``FIREDRILL_CACHE`` says where."""
    monkeypatch.setenv("FIREDRILL_CACHE", str(tmp_path))
    assert module.cache_folder().parent == tmp_path
