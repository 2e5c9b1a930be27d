"""Whom Alertmanager tells of what, and with which delays: the route tree of the configuration that it runs with.

It is read to be shown, and for its timers. Which route an alert takes is Alertmanager's word, never worked out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stack.errors import SourceError
from stack.rules.durations import parse_duration
from stack.rules.errors import BadDuration

DEFAULT_GROUP_WAIT_S = 30.0
DEFAULT_GROUP_INTERVAL_S = 300.0


class UnreadableRouting(SourceError):  # noqa: N818 - reads as a fact where it is raised
    """Alertmanager's configuration cannot be made sense of."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"the configuration of Alertmanager at {url} cannot be read: {reason}")


@dataclass(frozen=True)
class Route:
    """One route: what it matches, as people write it, whom it leads to, and its timers in seconds."""

    matchers: tuple[str, ...]
    receiver: str
    group_by: tuple[str, ...]
    group_wait_s: float
    group_interval_s: float
    routes: tuple[Route, ...] = ()
    goes_on: bool = False
    """Whether the routes after it are tried, too (``continue``)."""

    def walk(self) -> Iterator[Route]:
        """Yield this route and all below it."""
        yield self
        for route in self.routes:
            yield from route.walk()


@dataclass(frozen=True)
class Routing:
    """All routes, and the addresses of each receiver's webhooks."""

    root: Route
    webhooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def leading_to(self, receiver: str) -> tuple[Route, ...]:
        """Return the routes that end at ``receiver``."""
        return tuple(route for route in self.root.walk() if route.receiver == receiver)

    def told_at(self, path: str) -> tuple[str, ...]:
        """Return the receivers with a webhook whose address ends in ``path``, or hides it."""
        hidden = "<secret>"
        return tuple(
            name for name, urls in self.webhooks.items() if any(url == hidden or url.endswith(path) for url in urls)
        )


class _Webhook(BaseModel):
    url: str = "<secret>"


class _Receiver(BaseModel):
    name: str
    webhook_configs: list[_Webhook] = Field(default_factory=list)


class _Route(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    receiver: str | None = None
    group_by: list[str] | None = None
    group_wait: str | None = None
    group_interval: str | None = None
    matchers: list[str] | str | None = None
    match: dict[str, str] | None = None
    match_re: dict[str, str] | None = None
    routes: list[_Route] | None = None
    goes_on: bool = Field(default=False, alias="continue")

    def texts(self) -> tuple[str, ...]:
        new = self.matchers if isinstance(self.matchers, list) else [self.matchers] if self.matchers else []
        equal = [f'{name}="{value}"' for name, value in (self.match or {}).items()]
        like = [f'{name}=~"{value}"' for name, value in (self.match_re or {}).items()]
        return (*new, *equal, *like)


class _Configuration(BaseModel):
    route: _Route
    receivers: list[_Receiver] = Field(default_factory=list)


def read_routing(text: str, url: str) -> Routing:
    """Return what ``text``, the configuration of the Alertmanager at ``url``, says; raise ``UnreadableRouting``."""
    try:
        known = _Configuration.model_validate(yaml.safe_load(text))
        above = Route((), "", (), DEFAULT_GROUP_WAIT_S, DEFAULT_GROUP_INTERVAL_S)
        root = _route(known.route, above)
    except (yaml.YAMLError, ValidationError, BadDuration) as error:
        raise UnreadableRouting(url, " ".join(str(error).split())[:200]) from None
    webhooks = {one.name: tuple(hook.url for hook in one.webhook_configs) for one in known.receivers}
    return Routing(root, webhooks)


def _route(read: _Route, above: Route) -> Route:
    """Return ``read`` with what it inherits from ``above``."""
    own = Route(
        read.texts(),
        read.receiver or above.receiver,
        above.group_by if read.group_by is None else tuple(read.group_by),
        _timer(read.group_wait, above.group_wait_s),
        _timer(read.group_interval, above.group_interval_s),
    )
    below: Sequence[_Route] = read.routes or ()
    return Route(
        own.matchers,
        own.receiver,
        own.group_by,
        own.group_wait_s,
        own.group_interval_s,
        tuple(_route(each, own) for each in below),
        read.goes_on,
    )


def _timer(text: str | None, inherited_s: float) -> float:
    return inherited_s if text is None else parse_duration(text)
