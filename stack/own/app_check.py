"""Asks the user's app, before a stack is started around it, whether it is what the options say: URL, metrics, control.

It changes nothing. What would make every drill fail is an error; what may yet come is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from stack.own.app import OwnApp
from stack.own.errors import AppMetricsUnusable, AppUnreachable, ControlNotAttached, ControlTokenRefused
from stack.rules.errors import RuleError
from stack.rules.file import RecordingRule
from stack.rules.read import load_rules
from stack.rules.tree import Kind, read_tree

TIMEOUT_S = 5.0
SUFFIXES = ("", "_total", "_created", "_bucket", "_sum", "_count", "_info")
PROMETHEUS_OWN = frozenset({"up", "ALERTS", "ALERTS_FOR_STATE"})
"""Series that Prometheus writes itself; so does it those that begin with ``scrape_``."""


def check_app(app: OwnApp, token: str, home: str) -> tuple[str, ...]:
    """Return what is odd but may be meant, a sentence each; ``home`` is the folder that ``token`` is from.

    Raises ``AppUnreachable``, ``AppMetricsUnusable``, ``ControlNotAttached`` or ``ControlTokenRefused``.
    """
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        shown = _metrics(client, app)
        _check_control(client, app, token, home)
    if not app.rules:
        return ("no rules were named with --rules, so that no alert can ring",)
    return tuple(_unknown_series(app, shown))


def _metrics(client: httpx.Client, app: OwnApp) -> frozenset[str]:
    """Return the names of all series that the app shows or has declared."""
    with _reaching(app.url):
        answer = client.get(app.metrics_url)
    if answer.status_code != httpx.codes.OK:
        raise AppMetricsUnusable(app.metrics_url, f"it answers {answer.status_code}")
    try:
        families = list(text_string_to_metric_families(answer.text))
    except ValueError as error:
        raise AppMetricsUnusable(app.metrics_url, f"it does not answer with metrics ({error})") from None
    names = {sample.name for family in families for sample in family.samples}
    if not names:
        raise AppMetricsUnusable(app.metrics_url, "there is no series in its answer")
    return frozenset(names | {family.name + suffix for family in families for suffix in SUFFIXES})


def _check_control(client: httpx.Client, app: OwnApp, token: str, home: str) -> None:
    try:
        health = client.get(f"{app.control}/health")
    except httpx.HTTPError as error:
        raise ControlNotAttached(app.control, str(error) or type(error).__name__) from None
    if not _is_control(health):
        raise ControlNotAttached(app.control, f"something else answers there ({health.status_code} to /health)")
    if client.get(f"{app.control}/kinds", headers={"Authorization": f"Bearer {token}"}).is_error:
        raise ControlTokenRefused(app.control, home)


def _is_control(health: httpx.Response) -> bool:
    try:
        answer: Mapping[str, object] = health.json()
    except ValueError:
        return False
    named = isinstance(answer, dict) and "instance" in answer
    return named or (health.status_code == httpx.codes.UNAUTHORIZED and isinstance(answer, dict) and "error" in answer)


@contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise AppUnreachable(url, str(error) or type(error).__name__) from None


def _unknown_series(app: OwnApp, shown: frozenset[str]) -> Iterator[str]:
    """Yield a sentence for each rule that reads a series which neither the app nor another rule makes."""
    rules = [rule for path in app.rules for group in load_rules(path).groups for rule in group.rules]
    known = shown | PROMETHEUS_OWN | {rule.name for rule in rules if isinstance(rule, RecordingRule)}
    for rule in rules:
        missing = sorted({each for each in series_of(rule.expr) if each not in known})
        if missing:
            yield f"{rule.name} reads {', '.join(missing)}, which {app.metrics_url} does not show (yet)"


def series_of(expr: str) -> Iterator[str]:
    """Yield the names that ``expr`` selects; an expression that cannot be read is promtool's affair."""
    try:
        nodes = list(read_tree(expr).walk())
    except RuleError:
        return
    for node in nodes:
        name = node.name.partition("{")[0]
        if node.kind in {Kind.SELECTOR, Kind.MATRIX} and name and not name.startswith("scrape_"):
            yield name
