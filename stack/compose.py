"""Reads ``docker-compose.yml`` as Compose does, as far as that file goes: one source for both ways to start it.

Variables are replaced, anchors followed, and every key must be one that is known here, so that nothing in the file can
be passed over in silence. Nothing here talks to an engine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stack.errors import StackError

COMPOSE_FILE = Path(__file__).resolve().parent.parent / "docker-compose.yml"
Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<mark>:?[-?])(?P<rest>[^}]*))?\})")
_DURATION = re.compile(r"(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+)ms)?")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)(/[^'\" ]*)")
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_FACTORS: Mapping[str, int] = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


class ComposeUnreadable(StackError):  # noqa: N818 - reads as a fact where it is raised
    """The Compose file is missing, is no Compose file, or has a part that Firedrill does not know."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}; mend the file, or start it with `docker compose up`")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _seconds(value: object) -> object:
    """Read ``1m30s``, ``500ms`` as seconds."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if match is None:
        return value
    parts = {name: float(text or 0) for name, text in match.groupdict().items()}
    return 60 * parts["m"] + parts["s"] + parts["ms"] / 1000


def _bytes(value: object) -> object:
    """Read ``512m`` as a number of bytes."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(match[1]) * _FACTORS[match[2].lower()] if match else value


def _texts(value: object) -> object:
    """Read the values of a mapping as Compose does: numbers and truth values become texts."""
    if not isinstance(value, dict):
        return value
    return {key: str(text).lower() if isinstance(text, bool) else str(text) for key, text in value.items()}


def _conditions(value: object) -> object:
    """Read ``[name]`` as ``{name: {condition: service_started}}``."""
    return {name: {"condition": "service_started"} for name in value} if isinstance(value, list) else value


Seconds = Annotated[float, BeforeValidator(_seconds)]
Texts = Annotated[dict[str, str], BeforeValidator(_texts)]


class Build(_Strict):
    """How an image is made from this checkout."""

    context: str
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: Texts = Field(default_factory=dict)


class Healthcheck(_Strict):
    """The engine's own question to a container. Times in seconds."""

    test: tuple[str, ...]
    interval: Seconds = 30.0
    timeout: Seconds = 30.0
    start_period: Seconds = 0.0
    retries: int = 3

    @property
    def asks(self) -> tuple[int, str] | None:
        """The port and the path that it asks over HTTP inside the container, ``None`` where it asks otherwise."""
        if self.test[:2] == ("CMD", "answers"):
            return int(self.test[2]), self.test[3]
        match = _ADDRESS.search(" ".join(self.test))
        return (int(match[1]), match[2]) if match else None


class Dependency(_Strict):
    """What must have happened to another service before this one starts."""

    condition: Condition


class Logging(_Strict):
    """Where the engine keeps a container's output."""

    driver: str
    options: Texts = Field(default_factory=dict)


class Service(_Strict):
    """One service of the file, in the file's own words."""

    image: str
    build: Build | None = None
    pull_policy: str | None = None
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: Texts = Field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    depends_on: Annotated[dict[str, Dependency], BeforeValidator(_conditions)] = Field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    mem_limit: Annotated[int, BeforeValidator(_bytes)]
    restart: str = "no"
    profiles: tuple[str, ...] = ()
    user: str | None = None
    group_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    init: bool = False
    stop_grace_period: Seconds = 10.0
    logging: Logging | None = None

    @property
    def one_off(self) -> bool:
        """Whether it does its work and ends."""
        return self.restart == "no"

    def published(self) -> tuple[Published, ...]:
        """Return the ports that are published on this machine."""
        return tuple(Published.read(port) for port in self.ports)

    def mounts(self) -> tuple[Mount, ...]:
        """Return what is mounted into the container."""
        return tuple(Mount.read(volume) for volume in self.volumes)


class Published(_Strict):
    """``address:published:port``: where a port of the container is reached on this machine."""

    address: str
    published: int
    port: int

    @classmethod
    def read(cls, text: str) -> Published:
        """Read the short form, the address included: a port without one would be open to the network."""
        address, published, port = text.rsplit(":", 2)
        return cls(address=address, published=int(published), port=int(port))


class Mount(_Strict):
    """``source:target[:ro]``: a named volume, or a path of this machine, in the container."""

    source: str
    target: str
    read_only: bool

    @classmethod
    def read(cls, text: str) -> Mount:
        """Read the short form."""
        source, target, *mode = text.split(":")
        return cls(source=source, target=target, read_only="ro" in ",".join(mode).split(","))

    @property
    def named(self) -> bool:
        """Whether the source is a volume of the engine and not a path."""
        return not self.source.startswith(("/", ".", "~"))


class Compose(_Strict):
    """A whole Compose file, variables replaced."""

    name: str
    services: dict[str, Service]
    volumes: dict[str, None] = Field(default_factory=dict)

    def started(self, *, profiles: Sequence[str] = (), without: Sequence[str] = ()) -> dict[str, Service]:
        """Return the services that ``up`` starts, each after what it depends on."""
        wanted = {
            name: service
            for name, service in self.services.items()
            if name not in without and (not service.profiles or set(service.profiles) & set(profiles))
        }
        ordered: dict[str, Service] = {}

        def add(name: str) -> None:
            for needed in wanted[name].depends_on:
                if needed in wanted and needed not in ordered:
                    add(needed)
            ordered[name] = wanted[name]

        for name in wanted:
            if name not in ordered:
                add(name)
        return ordered


def read_compose(variables: Mapping[str, str], paths: Sequence[Path] = (COMPOSE_FILE,)) -> Compose:
    """Return the Compose file with ``variables`` put in, later files over earlier ones; raise ``ComposeUnreadable``."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ComposeUnreadable(path, str(error)) from error
        if not isinstance(document, dict):
            raise ComposeUnreadable(path, "is not a Compose file")
        kept = {key: value for key, value in document.items() if not str(key).startswith("x-")}
        merged = _laid_over(merged, _interpolated(kept, variables, path))
    try:
        return Compose.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ComposeUnreadable(paths[-1], f"{where}: {first['msg']}") from error


def _laid_over(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Merge as Compose does: mappings by key, lists appended, the rest replaced."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[key] = _laid_over(below, value)
        elif isinstance(below, list) and isinstance(value, list) and key not in {"command", "entrypoint"}:
            merged[key] = [*below, *value]
        else:
            merged[key] = value
    return merged


def _interpolated(value: Any, variables: Mapping[str, str], path: Path) -> Any:
    """Replace ``${NAME}``, ``${NAME:-default}``, ``${NAME:?message}`` and ``$$`` in every text."""
    if isinstance(value, dict):
        return {key: _interpolated(inner, variables, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, variables, path) for inner in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        found, mark = variables.get(match["name"]), match["mark"] or ""
        if found is not None and not (mark.startswith(":") and not found):
            return found
        if mark.endswith("?"):
            raise ComposeUnreadable(path, f"needs the variable {match['name']}: {match['rest']}")
        return match["rest"] or ""

    return _VARIABLE.sub(replace, value)
