"""Reads the JSON files of the dashboards and says what is wrong with one, by file and place.

Only what the dashboards use is read: a panel or query that could not be drawn from its file alone is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from stack.dashboards.board import COLUMNS, Dashboard, ascending
from stack.dashboards.errors import BadDashboard
from stack.dashboards.forms import DashboardForm
from stack.dashboards.variables import BUILT_IN, names_in

FOLDER = Path(__file__).resolve().parents[1] / "config" / "grafana" / "dashboards"
OF_ONE_DATABASE = frozenset({"id", "version", "iteration"})
"""What Grafana exports of a dashboard that says something in that Grafana alone."""
T = TypeVar("T")


def load_dashboards(folder: Path = FOLDER) -> tuple[Dashboard, ...]:
    """Return the dashboards of every ``*.json`` in ``folder``, by file name. Raises ``BadDashboard``."""
    dashboards = tuple(load_dashboard(path) for path in sorted(folder.glob("*.json")))
    if not dashboards:
        raise BadDashboard(folder, "", "there is no dashboard in it", "files named *.json")
    return dashboards


def load_dashboard(path: Path) -> Dashboard:
    """Return the dashboard in ``path``. Raises ``BadDashboard``."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadDashboard(path, "", "there is no such file", "a dashboard in JSON") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadDashboard(path, "", f"it cannot be read ({error})", "a dashboard in JSON, in UTF-8") from None
    return read_dashboard(text, path)


def read_dashboard(text: str, path: Path) -> Dashboard:
    """Return the dashboard that ``text`` is; ``path`` is the name that errors give it. Raises ``BadDashboard``."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadDashboard(path, "", f"it is not JSON ({error})", "a dashboard as Grafana exports it") from None
    try:
        dashboard = DashboardForm.model_validate(document).made()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadDashboard(path, ".".join(map(str, first["loc"])), first["msg"], "what Grafana writes there") from None
    except ValueError as error:
        raise BadDashboard(path, "", str(error), "what a panel can be drawn from") from None
    _check(dashboard, path)
    return dashboard


def normal_form(text: str) -> str:
    """Return the same dashboard as the files are kept: keys sorted, two spaces, nothing of one Grafana's database."""
    document = {key: value for key, value in json.loads(text).items() if key not in OF_ONE_DATABASE}
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _check(dashboard: Dashboard, path: Path) -> None:
    """Raise ``BadDashboard`` unless the parts of a dashboard fit together."""
    if twice := _twice(panel.id for panel in dashboard.panels):
        raise BadDashboard(path, "panels", f"the id {twice[0]} is there twice", "an id of its own for each panel")
    for one, other in dashboard.overlapping():
        found = f"{one.title!r} and {other.title!r} stand on one another"
        raise BadDashboard(path, "panels.gridPos", found, "a place of its own for each panel")
    known = {variable.name for variable in dashboard.variables}
    for panel in dashboard.panels:
        where = f"panels[{panel.id}] {panel.title!r}"
        if panel.place.x + panel.place.width > COLUMNS:
            raise BadDashboard(path, where, "it reaches over the right edge", f"{COLUMNS} columns")
        if not ascending(panel.look.steps):
            raise BadDashboard(path, where, "its thresholds do not rise", "null first, then ascending values")
        if shared := _twice(query.ref for query in panel.queries):
            raise BadDashboard(path, where, f"two queries are called {shared[0]}", "a refId of its own for each")
        for query in panel.queries:
            if strange := names_in(query.expr) - known - set(BUILT_IN):
                found = f"query {query.ref} uses ${min(strange)}"
                raise BadDashboard(path, where, found, f"one of {', '.join(sorted({*known, *BUILT_IN}))}")


def _twice(values: Iterable[T]) -> list[T]:
    return [value for value, count in Counter(values).items() if count > 1]
