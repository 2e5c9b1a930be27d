"""How the tests are spread over workers: a module stays together, and what takes longest starts first."""

from __future__ import annotations

import pytest

from tests.trained import trained

__all__ = ["trained"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests of a module, unless they name a group, so that they share its fixtures and keep their order."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: item.get_closest_marker("live") is None)
