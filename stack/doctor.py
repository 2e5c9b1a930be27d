"""Look for what stands in the way of a stack on this machine, before or after it did. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from stack.browser import find_chromium
from stack.bundles import BUNDLES, OPTIONAL_BUNDLES, Installed
from stack.component import wanted
from stack.components import COMPONENTS
from stack.endpoints import Endpoints
from stack.home import Home, cache_dir, endpoints_from_environment, is_offline
from stack.locks import FileLock, lock_path
from stack.pace import WORKSHOP
from stack.plan import Plan
from stack.ports import OFFSET_STEP, free_offset, holder_of, is_free
from stack.provision import locate
from stack.state import load_state

GIB = 1 << 30
LEAST_PYTHON = (3, 11)
NEEDED_PACKAGES = ("fastapi", "uvicorn", "scikit-learn", "prometheus-client", "opentelemetry-sdk", "streamlit", "httpx")
Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``remedy`` says what to do about it; empty where nothing is to be done."""

    name: str
    level: Level
    text: str
    remedy: str = ""


def doctor(home: Home) -> tuple[Finding, ...]:
    """Return what was found, in the order of looking."""
    return (
        _python(),
        _packages(),
        _home(home),
        _disk(home),
        _memory(),
        _shared_memory(),
        _open_files(),
        *_programs(),
        *_optional_programs(),
        _chromium(),
        _ports(home),
        _state(home),
    )


def _python() -> Finding:
    text = f"Python {platform.python_version()} at {sys.executable} on {platform.system()} {platform.machine()}"
    if sys.version_info < LEAST_PYTHON:
        return Finding("python", "fail", text, "install Python 3.11 or newer and remove .venv")
    if sys.platform != "linux":
        remedy = "run `firedrill down` after a supervisor was killed: only Linux ends its children by itself"
        return Finding("python", "warn", text, remedy)
    return Finding("python", "ok", text)


def _packages() -> Finding:
    missing = [name for name in NEEDED_PACKAGES if not _has(name)]
    if missing:
        return Finding("packages", "fail", f"missing: {', '.join(missing)}", "run ./firedrill, which installs them")
    return Finding("packages", "ok", f"{len(NEEDED_PACKAGES)} of {len(NEEDED_PACKAGES)} main packages are installed")


def _has(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _home(home: Home) -> Finding:
    place = _existing(home.root)
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("home", "fail", f"{place} is not writable", "set FIREDRILL_HOME to a folder of your own")
    return Finding("home", "ok", f"{home.root} is writable")


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(_existing(home.root)).free
    text = f"{free / GIB:.1f} GiB free for {home.root}"
    if free < GIB / 4:
        return Finding("disk", "fail", text, "make room: the first start alone needs about 0.25 GiB")
    if free < 2 * GIB:
        return Finding("disk", "warn", text, "make room: a long-running stack keeps up to 2 GiB")
    return Finding("disk", "ok", text)


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    text = f"{free / GIB:.1f} GiB available, {psutil.cpu_count() or 1} CPUs"
    if free < GIB:
        return Finding("memory", "warn", text, "close something: a stack takes about 1 GiB")
    return Finding("memory", "ok", text)


def _shared_memory() -> Finding:
    place = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    if not place.is_dir():
        return Finding("shared memory", "ok", "this system has no /dev/shm to look at")
    free = shutil.disk_usage(place).free
    text = f"{free >> 20} MiB free in /dev/shm"
    if free < 64 << 20:
        return Finding(
            "shared memory", "warn", text, "Chromium (browser tests) needs 64 MiB: `docker run --shm-size=1g`"
        )
    return Finding("shared memory", "ok", text)


def _open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    text = "open files are unlimited" if unlimited else f"{soft} open files a process"
    if not unlimited and soft < 1024:
        return Finding("open files", "warn", text, "raise it: `ulimit -n 4096`")
    return Finding("open files", "ok", text)


def _programs() -> Iterator[Finding]:
    for name in (program for bundle in BUNDLES for program in bundle.programs):
        found = locate(name)
        if found is not None:
            yield Finding(name, "ok", _origin(found))
        elif is_offline():
            remedy = "install it so that it is on PATH, or unset FIREDRILL_OFFLINE"
            yield Finding(name, "fail", f"neither on PATH nor in {cache_dir()}", remedy)
        else:
            remedy = "the next `firedrill up` fetches it; offline, install it so that it is on PATH"
            yield Finding(name, "warn", f"neither on PATH nor in {cache_dir()}", remedy)


def _optional_programs() -> Iterator[Finding]:
    """Look for what a stack runs where it is there; that it is missing is nothing to worry about."""
    parts = {row.takes: row for row in COMPONENTS if row.takes}
    for name in (program for bundle in OPTIONAL_BUNDLES for program in bundle.programs if program in parts):
        found = locate(name)
        if found is not None:
            yield Finding(name, "ok", f"{_origin(found)}; `up --without {parts[name].name}` leaves it out")
        else:
            yield Finding(name, "ok", f"not there, and optional; `up --with {parts[name].name}` fetches it")


def _origin(found: Installed) -> str:
    origin = {"path": "PATH", "release": "official release", "package": "Debian package"}[found.origin]
    return f"{found.version} from {found.path} ({origin})"


def _chromium() -> Finding:
    found = find_chromium()
    if found is not None:
        return Finding("chromium", "ok", f"{found} (browser tests)")
    return Finding("chromium", "warn", "none found", "only the browser tests need it; `firedrill test` installs it")


def _ports(home: Home) -> Finding:
    state = load_state(home.state_file)
    up = FileLock(lock_path(home)).is_held()
    if up and state is not None:
        return Finding("ports", "ok", f"in use by this home's own stack, offset {state.offset}")
    endpoints = endpoints_from_environment()
    usual = wanted(COMPONENTS, Plan(home, endpoints, WORKSHOP, traffic=True))
    names = {port: component.name for component in usual for port in component.ports}
    taken = [(endpoints.port(port), name) for port, name in names.items() if not is_free(endpoints.port(port))]
    if not taken:
        return Finding("ports", "ok", f"all {len(names)} are free ({_span(endpoints, names)})")
    holders = ", ".join(f"{port} ({name}) by pid {holder_of(port).pid or 'unknown'}" for port, name in taken)
    offset = free_offset(endpoints.offset, names)
    remedy = f"stop what holds them, or use `firedrill up --port-offset {OFFSET_STEP if offset is None else offset}`"
    return Finding("ports", "warn", f"in use: {holders}", remedy)


def _span(endpoints: Endpoints, names: Iterable[str]) -> str:
    numbers = sorted(endpoints.port(name) for name in names)
    return f"{numbers[0]} to {numbers[-1]}"


def _state(home: Home) -> Finding:
    if FileLock(lock_path(home)).is_held():
        return Finding("state", "ok", "a stack is up or starting; see `firedrill status`")
    state = load_state(home.state_file)
    if state is None:
        text = f"{home.state_file} is damaged" if home.state_file.exists() else "no stack is up"
        level: Level = "warn" if home.state_file.exists() else "ok"
        return Finding("state", level, text, f"remove {home.state_file}" if home.state_file.exists() else "")
    left = [unit.name for unit in state.units if unit.identity is not None and unit.identity.process() is not None]
    if left:
        return Finding("state", "warn", f"a killed supervisor left running: {', '.join(left)}", "run `firedrill down`")
    return Finding("state", "ok", "the last supervisor was killed; nothing of it is left, the next `up` tidies up")
