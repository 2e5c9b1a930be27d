"""``python -m stack.detached``: a supervisor in a process of its own, as ``up --detach`` starts it.

It takes its orders from the command line and the two descriptors that it inherits, and decides nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from stack.component import table_named, wanted
from stack.events import written_to
from stack.locks import FileLock, lock_path
from stack.plan import Plan, plan_from_json
from stack.supervisor import StackNotReady, Supervisor


def command_line(plan: Plan, table: str, *, lock_fd: int, event_fd: int) -> list[str]:
    """Return the command line of a supervisor for ``plan``; both descriptors have to be passed on to it."""
    return [
        *(sys.executable, "-m", "stack.detached"),
        f"--table={table}",
        f"--lock-fd={lock_fd}",
        f"--event-fd={event_fd}",
        f"--plan={plan.to_json()}",
    ]


def main() -> int:
    """Run a stack as ``up --detach`` wants it; return 1 where it did not come up."""
    parser = argparse.ArgumentParser(prog="python -m stack.detached", description="Started by `firedrill up --detach`.")
    parser.add_argument("--plan", type=plan_from_json, required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--lock-fd", type=int, required=True)
    parser.add_argument("--event-fd", type=int, required=True)
    given = parser.parse_args()
    plan: Plan = given.plan
    supervisor = Supervisor(
        plan,
        wanted(table_named(given.table), plan),
        table=given.table,
        lock=FileLock.inherited(lock_path(plan.home), given.lock_fd),
        on_event=written_to(given.event_fd),
    )
    try:
        asyncio.run(supervisor.run())
    except StackNotReady:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
