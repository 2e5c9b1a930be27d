"""How the tests are spread over pytest-xdist's workers: by group, from two ends; it never decides which tests run.

A group stays on one worker, shares its fixtures and keeps its order: that of the mark ``xdist_group``, else the module;
all tests with a browser are one.
A test with a stack of its own (the fixture ``fresh``) is a group by itself. Live tests mostly wait, the others mostly
compute: half of the workers begin with the live ones, longest first, the rest at the other end of the queue.

``--dist loadgroup`` does the first half by itself, but pytest-xdist 3.8 writes the group into a field of the test's id
that pytest 9.2 no longer reads (pytest-dev/pytest-xdist#1386), and then every test goes its own way without a word.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

FOLDER = "firedrill_groups"
"""What the workers are handed under this name is the folder in which they leave their groups for the scheduler."""
LONG_LIVE = ("test_drills", "test_supervision", "test_recovery", "test_fault_effects", "test_own_rules")
"""The longest. A live module that is not named starts after these and before all that are not live."""
HEAVY = ("test_bench_service", "test_panel_pages", "test_service_models", "test_service_curl", "test_suite")
"""Long ones that are not live, the longest first: it stands last in the queue, which is also taken from its end."""

BROWSER = "browser"
"""All that have a browser are one group: several browsers at once, without a graphics card, take the whole machine."""


def group_of(item: pytest.Item) -> str:
    """Return the name that a test has in common with those it must stay together with."""
    named = item.get_closest_marker("xdist_group")
    if named is not None:
        return str(named.args[0] if named.args else named.kwargs["name"])
    if item.get_closest_marker("browser") is not None:
        return BROWSER
    if "fresh" in getattr(item, "fixturenames", ()):
        return item.nodeid
    return item.nodeid.partition("::")[0]


def rank(item: pytest.Item) -> tuple[int, int]:
    """Return a test's place in the queue: with a browser first, then live ones; those that compute long at the end."""
    module = item.path.stem
    if item.get_closest_marker("browser") is not None:
        return 0, -1
    if item.get_closest_marker("live") is not None:
        return 0, LONG_LIVE.index(module) if module in LONG_LIVE else len(LONG_LIVE)
    return (2, -HEAVY.index(module)) if module in HEAVY else (1, 0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests into the order of the queue."""
    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tell a worker where to leave its groups."""
    node.workerinput[FOLDER] = str(_folder(node.config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave the groups for the scheduler, which sees names alone, before it hears that the collection is done."""
    told = getattr(session.config, "workerinput", {}).get(FOLDER)
    if told is not None:
        path = Path(told) / f"{os.getpid()}.json"
        path.write_text(json.dumps({item.nodeid: group_of(item) for item in session.items}), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Take the place of ``--dist loadgroup``; any other distribution is left as it is."""
    return TwoEnded(config, log) if config.getoption("dist") == "loadgroup" else None


class TwoEnded(LoadScopeScheduling):
    """Groups as the workers told them, in the order of collection, handed out from both ends."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False  # else the groups with the most tests come first
        super().__init__(config, log)
        self._folder = _folder(config)
        self._groups: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        """Return the group of a test."""
        if nodeid not in self._groups:
            for path in self._folder.glob("*.json"):
                self._groups |= json.loads(path.read_text(encoding="utf-8"))
        return self._groups[nodeid]

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Hand a worker the first group, or the last one where it works from the other end."""
        number = int(node.gateway.id.removeprefix("gw"))
        if number >= math.ceil(self.numnodes / 2):
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)


_STASH = pytest.StashKey[Path]()


def _folder(config: pytest.Config) -> Path:
    """Return the run's folder for groups, made at the first call and gone with the run."""
    if _STASH not in config.stash:
        folder = TemporaryDirectory(prefix="firedrill-groups-")
        config.add_cleanup(folder.cleanup)
        config.stash[_STASH] = Path(folder.name)
    return config.stash[_STASH]
