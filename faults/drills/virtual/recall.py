"""What this process need not work out twice: loads of the same files, predictions for the same row.

Both are functions of what they are given, so that nothing but time is saved: a sweep lives through hundreds of worlds,
a model that fails to load is tried every two seconds, and traffic has some hundred bodies a model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from service.errors import ModelLoadFailed
from service.models import store
from service.models.base import Items, LoadedModel, Output, Profile

T = TypeVar("T")
Files = tuple[tuple[str, int, int, int], ...]

MOST_LOADS = 64
MOST_ROWS = 20_000
"""Rows of one model whose predictions are kept."""

_LOADS: OrderedDict[tuple[str, Path, Files], LoadedModel | ModelLoadFailed] = OrderedDict()
_ROWS: dict[str, dict[tuple[float, ...], Output]] = {}


def recalled(work: Callable[[], T]) -> T:
    """Return ``work()``, or what came of it before where it is the load of an artifact whose files are the same."""
    if not (isinstance(work, partial) and work.func is store.load):
        return work()
    profile, directory = work.args
    loaded: T = _loaded(profile, directory)  # type: ignore[assignment]  # T is what ``store.load`` returns
    return loaded


def _loaded(profile: Profile, directory: Path) -> LoadedModel:
    key = (profile.name, directory, _files(directory))
    outcome = _LOADS.get(key)
    if outcome is None:
        try:
            outcome = _predicting(store.load(profile, directory))
        except ModelLoadFailed as error:
            outcome = error
        _LOADS[key] = outcome
        if len(_LOADS) > MOST_LOADS:
            _LOADS.popitem(last=False)
    if isinstance(outcome, ModelLoadFailed):
        raise outcome.with_traceback(None)
    return outcome


def _files(directory: Path) -> Files:
    """Return by what the files of an artifact are told from others, or from what they were."""
    if not directory.is_dir():
        return ()
    stats = ((path.name, path.stat()) for path in sorted(directory.iterdir()))
    return tuple((name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _predicting(model: LoadedModel) -> LoadedModel:
    """Return ``model`` with a memory of the rows that it was asked for one at a time."""
    known = _ROWS.setdefault(model.sha256, {})

    def predict(items: Items) -> Output:
        if len(items) != 1 or not isinstance(items[0], list):
            return model.predict(items)
        row = tuple(items[0])
        output = known.get(row)
        if output is None:
            output = model.predict(items)
            if len(known) < MOST_ROWS:
                known[row] = output
        return output

    return replace(model, predict=predict)
