"""The Docker engine that tests run against: whichever answers. Without one they are skipped, or fail in CI.

Tests never start an engine: ``firedrill test --with-docker`` does, before them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from stack.docker_engine import EngineUnavailable, connect


def engine_or_skip() -> Any:
    """Return a client of the engine."""
    try:
        return connect()
    except EngineUnavailable as missing:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"CI=true wants the Docker tests, and {missing}")
        pytest.skip(str(missing))
