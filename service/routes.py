"""Which route a request belongs to, known before routing runs: the bounded labels ``method`` and ``endpoint``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from starlette.routing import BaseRoute, Mount, Route, compile_path
from starlette.types import Scope

UNMATCHED, OTHER = "unmatched", "other"
UNMATCHED_METHODS = ("GET", "POST", OTHER)
"""Methods that are told apart where there is no route."""
ANY = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods of a mounted app, which are not known."""
Methods = frozenset[str]


class RouteTable:
    """The routes of an app, compiled at the first request from its routes, included routers and mounts.

    Paths in ``quiet`` belong to their route whatever the method is.
    """

    def __init__(self, routes: Iterable[BaseRoute], quiet: Iterable[str] = ()) -> None:
        self._routes, self._quiet = routes, frozenset(quiet)
        self._exact: dict[str, tuple[str, Methods]] | None = None
        self._patterns: list[tuple[re.Pattern[str], tuple[str, Methods]]] = []

    def labels(self, scope: Scope) -> tuple[str, str]:
        """Return the method and the path template of the route that ``scope`` matches.

        A path without a route, and a method that a path does not have, are ``unmatched``; the method is then one of
        ``UNMATCHED_METHODS``.
        """
        method: str = scope["method"]
        template, methods = self._found(scope["path"])
        if method in methods:
            return method, template
        if template in self._quiet:
            return OTHER, template
        return (method if method in UNMATCHED_METHODS else OTHER), UNMATCHED

    def _found(self, path: str) -> tuple[str, Methods]:
        exact = self._exact if self._exact is not None else self._compile()
        found = exact.get(path)
        if found is not None:
            return found
        for pattern, each in self._patterns:
            if pattern.match(path):
                return each
        return UNMATCHED, frozenset()

    def _compile(self) -> dict[str, tuple[str, Methods]]:
        methods: dict[str, Methods] = {}
        for template, some in _templates(self._routes, ""):
            methods[template] = methods.get(template, frozenset()) | some
        exact: dict[str, tuple[str, Methods]] = {}
        for template, all_ in methods.items():
            if "{" in template:
                pattern, name, _ = compile_path(template)
                self._patterns.append((pattern, (name, all_)))
            else:
                exact[template] = template, all_
        self._exact = exact
        return exact


def _templates(routes: Iterable[object], prefix: str) -> Iterator[tuple[str, Methods]]:
    """Yield path templates and methods below ``routes``; FastAPI keeps an included router as a route without a path."""
    for route in routes:
        if isinstance(route, Mount):
            yield from (
                _templates(route.routes, prefix + route.path)
                if route.routes
                else ((f"{prefix}{route.path}/{{path:path}}", ANY),)
            )
        elif isinstance(route, Route):
            yield prefix + route.path, _methods(route)
        elif callable(candidates := getattr(route, "effective_candidates", None)):
            yield from _templates(candidates(), prefix)
        else:
            inner = getattr(route, "starlette_route", None)
            path = getattr(inner, "path", None) or getattr(route, "path", None)
            if isinstance(inner, Mount):
                yield from _templates([inner], prefix)
            elif isinstance(path, str):
                yield prefix + path, _methods(route) or _methods(inner)


def _methods(route: object) -> Methods:
    return frozenset(getattr(route, "methods", None) or ())
