"""``python -m stack.dashboards [FILE…]``: puts dashboards that Grafana exported into the form that they are kept in.

Without a file, all of ``stack/config/grafana/dashboards``. What could not be drawn is reported and left as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from stack.dashboards.errors import BadDashboard
from stack.dashboards.file import FOLDER, load_dashboard, normal_form


def main(arguments: Sequence[str]) -> int:
    """Rewrite the files; return 0, or 1 where one is no dashboard of ours."""
    paths = [Path(argument) for argument in arguments] or sorted(FOLDER.glob("*.json"))
    failed = False
    for path in paths:
        try:
            dashboard = load_dashboard(path)
        except BadDashboard as error:
            print(error, file=sys.stderr)  # noqa: T201 - a command's output
            failed = True
            continue
        path.write_text(normal_form(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"{path}: {dashboard.title}, {len(dashboard.panels)} panels")  # noqa: T201 - as above
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
