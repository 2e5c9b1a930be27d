"""How long each drill of the library takes, live at workshop pace on a stack that has been up for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from panel.bench.figures import Figure
from panel.bench.workplace import workplace
from panel.commands.console import CommandError

HISTORY_S = 25.0


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Run the whole library; a drill that does not pass is an error, not a figure."""
    figures = []
    with workplace() as place:
        place.up()
        time.sleep(HISTORY_S)
        for drill in place.conductor().drills():
            say(f"drill {drill.name}")
            run = json.loads(place.cli("drill", "run", drill.name, "--json"))
            if run["verdict"] != "passed":
                raise CommandError(f"drill {drill.name} ended as {run['verdict']}: {run['reason']}")
            figures.append(Figure(f"drill {drill.name}", round(run["ended_at"] - run["queued_at"], 1), "s", 90.0))
    return figures
