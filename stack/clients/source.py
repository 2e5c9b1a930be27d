"""One HTTP source of JSON: the transport that the clients share; bad answers become typed errors here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from stack.errors import SourceError, SourceUnreachable

Parameters = Mapping[str, str | Sequence[str]]
T = TypeVar("T")
_EXCERPT = 160


class UnexpectedAnswer(SourceError):  # noqa: N818 - reads as a fact where it is raised
    """A source answered with something that it never answers with: another program may be listening there."""

    def __init__(self, source: str, url: str, reason: str) -> None:
        self.source, self.url, self.reason = source, url, reason
        super().__init__(
            f"{source} gave an unexpected answer at {url}: {reason}; is it really {source} that listens there?"
        )


class Source:
    """A source called ``name`` at ``url``. Threads may share it; close it, or use it as a context manager."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        self.name, self.url = name, url.rstrip("/")
        secure = self.url.startswith("https:")  # where it is not, reading all certificates would cost 50 ms for nothing
        self._client = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False, verify=secure)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def answers(self, path: str) -> bool:
        """Return whether ``path`` answers 200; nobody there is ``False`` too."""
        try:
            return self._client.get(path).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def get(self, path: str, parameters: Parameters | None = None) -> httpx.Response:
        """Return the answer of ``path`` whatever its status; raise ``SourceUnreachable`` where there is none.

        A 502, 503 or 504 without a JSON body counts as none: that is a source which is starting, or a proxy before it.
        """
        with self._reachable():
            response = self._client.get(path, params=dict(parameters or {}))
        away = {httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT}
        if response.status_code in away and not _is_json(response):
            raise SourceUnreachable(self.name, self.url, f"it answers {response.status_code} {response.reason_phrase}")
        return response

    def post(self, path: str, parameters: Parameters | None = None) -> httpx.Response:
        """Return the answer to a POST whatever its status; raise ``SourceUnreachable`` where there is none."""
        with self._reachable():
            return self._client.post(path, params=dict(parameters or {}))

    def send(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        file: tuple[str, bytes, str] | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """Return the answer to a POST with a JSON body, or with ``file`` (name, content, type) as a form's ``file``.

        Whatever its status; raise ``SourceUnreachable`` where there is none, within ``timeout_s`` where that is given.
        """
        patience = self._client.timeout if timeout_s is None else httpx.Timeout(timeout_s)
        files = None if file is None else {"file": file}
        with self._reachable():
            return self._client.post(path, headers=headers, json=json, files=files, timeout=patience)

    def read(self, response: httpx.Response, adapter: TypeAdapter[T]) -> T:
        """Return the body of ``response`` as the type of ``adapter``; raise ``UnexpectedAnswer``."""
        try:
            return adapter.validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            raise self.unexpected(response, reason) from None

    def unexpected(self, response: httpx.Response, reason: str) -> UnexpectedAnswer:
        """Return the error for an answer that cannot be used, with the beginning of its body."""
        excerpt = " ".join(response.text[: 4 * _EXCERPT].split())[:_EXCERPT]
        return UnexpectedAnswer(self.name, self.url, f"{reason} (status {response.status_code}, body {excerpt!r})")

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException:
            raise SourceUnreachable(self.name, self.url, "no answer in time") from None
        except httpx.HTTPError as error:
            raise SourceUnreachable(self.name, self.url, str(error) or type(error).__name__) from None


class Client:
    """Base of the typed clients: one source at ``url``, closed by hand or by leaving a ``with`` block.

    Threads may share a client. Unless said otherwise its methods raise ``SourceUnreachable`` (nobody, or not in time),
    ``QueryRefused`` (the source does not like the question) or ``SourceError`` (not the answer of such a source).
    """

    name: ClassVar[str]

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self._source = Source(self.name, url, timeout_s)
        self.url = self._source.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._source.close()


def unix_seconds(moment: datetime | None) -> float | None:
    """Return ``moment`` as Unix seconds; ``None`` for Go's zero time, which stands for "never"."""
    return None if moment is None or moment.year <= 1 else moment.timestamp()


def _is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("content-type", "")
