"""``python -m stack.rendering``: the service ``config`` of docker-compose.yml. It writes what others read, and ends.

The same files as in the native runtime, from the same source, with the hosts of the containers in them, into the volume
that all share. It never changes a token that is there.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from stack.components import COMPONENTS
from stack.configuration import render
from stack.errors import StackError
from stack.home import Home, endpoints_from_environment, pace_from_environment, workers_from_environment

CONFIG = Path(__file__).resolve().parent / "config"
COPIED: Mapping[str, str] = {
    "grafana/provisioning": "grafana",
    "grafana/dashboards": "dashboards",
    "loki/loki.yml": "loki.yml",
}
"""What programs read as it stands, in ``stack/config``, and where it goes in ``run``."""
MORE_JOBS: Mapping[str, str] = {"loki": "loki", "mlflow": "mlflow"}
"""Scrape jobs of what runs in containers only, and the endpoint that each scrapes."""
TOKEN_MODE = 0o640
"""Alertmanager shows the token too; its user is in the group of ours."""


def jobs_of(parts: Collection[str]) -> dict[str, str]:
    """Return the scrape jobs of a stack of these services, and the endpoint that each scrapes."""
    rows = {row.job: row.scraped for row in COMPONENTS if row.job and row.name in parts}
    return rows | {job: name for job, name in MORE_JOBS.items() if job in parts}


def main() -> int:
    """Write all files; return the exit code."""
    home = Home.from_environment()
    parts = [part.strip() for part in os.environ.get("FIREDRILL_PARTS", "").split(",") if part.strip()]
    try:
        home.token()
        home.token_file.chmod(TOKEN_MODE)
        render(
            home,
            endpoints_from_environment(),
            pace_from_environment(),
            workers=workers_from_environment(),
            jobs=jobs_of(parts),
        )
        for source, target in COPIED.items():
            _copy(CONFIG / source, home.run / target)
        if "loki" not in parts:
            (home.run / "grafana" / "datasources" / "loki.yml").unlink(missing_ok=True)
    except (StackError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the start stops here, before there is a log
        return 1
    print(f"wrote the configuration of: {', '.join(parts)}")  # noqa: T201 - a command's output
    return 0


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder in place of the one that was there."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    elif source.is_file():
        shutil.copyfile(source, target)


if __name__ == "__main__":
    sys.exit(main())
