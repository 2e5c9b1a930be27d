"""Which route template a path belongs to, known before routing runs: the bounded ``endpoint`` label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from starlette.routing import BaseRoute, Mount, Route, compile_path
from starlette.types import Scope

UNMATCHED = "unmatched"


class RouteTable:
    """The path templates of an app, compiled at the first request from its routes, included routers and mounts."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes = routes
        self._exact: dict[str, str] | None = None
        self._patterns: list[tuple[re.Pattern[str], str]] = []

    def template(self, scope: Scope) -> str:
        """Return the template that ``scope``'s path matches, else ``unmatched``."""
        exact = self._exact if self._exact is not None else self._compile()
        path: str = scope["path"]
        found = exact.get(path)
        if found is not None:
            return found
        for pattern, template in self._patterns:
            if pattern.match(path):
                return template
        return UNMATCHED

    def _compile(self) -> dict[str, str]:
        exact: dict[str, str] = {}
        for template in _templates(self._routes, ""):
            if "{" in template:
                pattern, name, _ = compile_path(template)
                self._patterns.append((pattern, name))
            else:
                exact[template] = template
        self._exact = exact
        return exact


def _templates(routes: Iterable[object], prefix: str) -> Iterator[str]:
    """Yield the path templates below ``routes``; FastAPI keeps an included router as one route without a path."""
    for route in routes:
        if isinstance(route, Mount):
            yield from (
                _templates(route.routes, prefix + route.path)
                if route.routes
                else (f"{prefix}{route.path}/{{path:path}}",)
            )
        elif isinstance(route, Route):
            yield prefix + route.path
        elif callable(candidates := getattr(route, "effective_candidates", None)):
            yield from _templates(candidates(), prefix)
        else:
            inner = getattr(route, "starlette_route", None)
            path = getattr(inner, "path", None) or getattr(route, "path", None)
            if isinstance(inner, Mount):
                yield from _templates([inner], prefix)
            elif isinstance(path, str):
                yield prefix + path
