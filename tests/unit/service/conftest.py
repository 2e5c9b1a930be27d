"""Fixtures of the service's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LoggerProvider
from service_bench import Bench, build

from service.compute import Compute
from service.seams import Seams
from service.settings import Settings


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio."""
    return "asyncio"


@pytest.fixture
def make(trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Bench]:
    """Return what makes a service; keyword arguments are settings, but for ``compute``, ``seams`` and the logs."""
    monkeypatch.chdir(tmp_path)

    def make_service(
        *,
        compute: Compute | None = None,
        seams: Seams | None = None,
        logger_provider: LoggerProvider | None = None,
        **settings: Any,
    ) -> Bench:
        chosen = Settings(**{"artifacts_dir": trained, "log_level": "critical", **settings})
        return build(chosen, compute=compute, seams=seams, logger_provider=logger_provider)

    return make_service
