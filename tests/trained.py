"""Artifacts for tests, trained once for all workers of a run: training takes longer than most tests.

The digits are trained in a third of their time, which is enough to serve them. How well the whole recipe reads what it
has not seen is the business of ``test_service_digits.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.models import digits
from service.models.profiles import profile_named, profile_names
from service.models.training import train
from stack.locks import FileLock

PATIENCE_S = 220.0
EPOCHS = 3
"""Rounds of training the digits, in place of ten: 95 of 100 are right then."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts of every profile that needs nothing from outside, trained once; to be read only."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    artifacts, done = shared / "artifacts", shared / "artifacts.done"
    lock = FileLock(shared / "artifacts.lock")
    assert lock.acquire(within_s=PATIENCE_S), "another worker has been training all the time"
    try:
        if not done.exists():
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(digits, "EPOCHS", EPOCHS)
                for profile in map(profile_named, profile_names()):
                    if not profile.opt_in:
                        train(profile, artifacts, SystemClock())
            done.touch()
    finally:
        lock.release()
    return artifacts
