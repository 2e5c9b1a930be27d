"""What every test run has: artifacts that are trained once, and the way in which tests are spread over workers."""

from __future__ import annotations

from tests.spread import (
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure_node,
    pytest_xdist_make_scheduler,
)
from tests.trained import trained

__all__ = [
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure_node",
    "pytest_xdist_make_scheduler",
    "trained",
]
