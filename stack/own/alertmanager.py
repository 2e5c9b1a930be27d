"""A user's Alertmanager configuration at another pace and from another place: timers divided, paths made absolute.

Receivers, routes and secrets stay as they are; calendar times (``time_intervals``) have no pace.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stack.configuration import GROUP_WAIT_S, REPEAT_INTERVAL_S, RESOLVE_TIMEOUT_S, dump
from stack.own.errors import AlertmanagerRefused
from stack.pace import Pace
from stack.provision import find_program
from stack.rules.durations import format_duration, parse_duration
from stack.rules.errors import BadDuration

ALERTMANAGERS_GROUP_INTERVAL_S = 300.0
TIMERS: Mapping[str, float] = {
    "group_wait": GROUP_WAIT_S,
    "group_interval": ALERTMANAGERS_GROUP_INTERVAL_S,
    "repeat_interval": REPEAT_INTERVAL_S,
}
"""A route's timers, with what Alertmanager takes where the root has none."""
FREE = frozenset({"details", "match", "match_re", "source_match", "source_match_re", "target_match", "target_match_re"})
"""Keys below which names are the user's own, whatever they look like."""
CHECK_TIMEOUT_S = 30.0

Document = dict[str, Any]
"""A configuration as its file has it; Alertmanager alone judges most of it."""


def scaled_alertmanager(path: Path, pace: Pace) -> str:
    """Return the configuration in ``path`` at ``pace``, fit to be read from anywhere; raise ``AlertmanagerRefused``."""
    document = _load(path)
    global_ = document.setdefault("global", {})
    route = document.get("route")
    if not isinstance(global_, dict) or not isinstance(route, dict):
        raise AlertmanagerRefused(path, "it has no `route:` with the receiver of all alerts")
    global_.setdefault("resolve_timeout", format_duration(RESOLVE_TIMEOUT_S))
    for key, default_s in TIMERS.items():
        route.setdefault(key, format_duration(default_s))
    global_["resolve_timeout"] = _scaled(path, "resolve_timeout", global_["resolve_timeout"], pace)
    _scale_route(path, route, pace)
    return dump(_anchored(document, path.parent))


def check_alertmanager(source: Path, rendered: Path) -> None:
    """Raise ``AlertmanagerRefused`` where amtool finds fault with ``rendered``, which was made of ``source``."""
    argv = [str(find_program("amtool")), "check-config", str(rendered)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise AlertmanagerRefused(source, f"amtool did not end within {CHECK_TIMEOUT_S:g} s") from None
    if done.returncode != 0:
        said = " ".join((done.stdout + done.stderr).replace(str(rendered), str(source)).split())
        raise AlertmanagerRefused(source, f"amtool refuses it: {said}")


def _load(path: Path) -> Document:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise AlertmanagerRefused(path, f"it cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise AlertmanagerRefused(path, f"it is not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(document, dict):
        raise AlertmanagerRefused(path, "it is no mapping")
    return document


def _scale_route(path: Path, route: Document, pace: Pace) -> None:
    for key in TIMERS:
        if key in route:
            route[key] = _scaled(path, key, route[key], pace)
    for child in route.get("routes") or ():
        if isinstance(child, dict):
            _scale_route(path, child, pace)


def _scaled(path: Path, key: str, given: object, pace: Pace) -> str:
    try:
        seconds = parse_duration(str(given))
    except BadDuration as error:
        raise AlertmanagerRefused(path, f"{key}: {error}") from None
    return format_duration(max(pace.scale(seconds), 0.001)) if seconds else str(given)


def _anchored(value: Any, folder: Path) -> Any:
    """Return ``value`` with the paths in it, which Alertmanager takes from the file's own folder, made absolute."""
    if isinstance(value, list):
        return [_anchored(each, folder) for each in value]
    if not isinstance(value, dict):
        return value
    changed: Document = {}
    for key, each in value.items():
        if key in FREE:
            changed[key] = each
        elif isinstance(each, str) and each and str(key).endswith("_file"):
            changed[key] = str(folder / each)
        elif key in {"templates", "files"} and isinstance(each, list):
            changed[key] = [str(folder / str(one)) for one in each]
        else:
            changed[key] = _anchored(each, folder)
    return changed
