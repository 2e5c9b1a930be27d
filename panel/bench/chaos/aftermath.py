"""What is looked for after kills: faults that outlived their time, orphans, held ports, a journal that cannot be read.

It only looks. Times are Unix seconds.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from faults.base import FaultRecord
from faults.drills.errors import JournalUnusable
from faults.drills.journal import read_entries
from panel.commands.journal import FILE
from stack.endpoints import HOST, PORTS, Endpoints
from stack.home import Home

GRACE_S = 1.5
"""How long a fault may take to be taken back once its time is over."""
_ALL = 1_000_000


def overdue(records: list[FaultRecord], now: float) -> list[FaultRecord]:
    """Return the faults that are active although their time to live is over."""
    return [one for one in records if one.state == "active" and now > one.ends_at + GRACE_S]


def processes_of(home: Home) -> list[psutil.Process]:
    """Return every process of the stack in ``home``, told by its environment; this one and its parents are none."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            named = process.environ().get("FIREDRILL_HOME", "")
            alive = process.status() != psutil.STATUS_ZOMBIE
            if process.pid not in own and alive and named and Path(named) == home.root:
                found.append(process)
    return found


def held_ports(endpoints: Endpoints) -> list[int]:
    """Return the ports of a stack that something listens on."""
    return [endpoints.port(name) for name in PORTS if _listens(endpoints.port(name))]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def journal_problem(home: Home) -> str:
    """Return what is wrong with the journal: damage, or lines that cannot be read; empty where it is sound."""
    path = home.data / FILE
    aside = list(path.parent.glob(f"{FILE}.damaged-*"))
    if aside:
        return f"it was found damaged and moved aside to {aside[0].name}"
    try:
        read_entries(path, _ALL)
        with contextlib.closing(sqlite3.connect(path)) as database:
            found = str(database.execute("PRAGMA integrity_check").fetchone()[0])
    except (JournalUnusable, sqlite3.DatabaseError, ValueError) as error:
        return str(error)
    return "" if found == "ok" else found


def until(check: Callable[[], bool], within_s: float) -> bool:
    """Return whether ``check`` comes true within so many seconds."""
    deadline = time.monotonic() + within_s
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
