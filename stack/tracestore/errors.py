"""What can go wrong in the trace store. Every subclass takes facts and builds its own message.

TraceStoreError
├── PayloadError           an export that cannot be taken (the exporter's mistake; retrying does not help)
│   ├── MalformedPayload       400
│   ├── PayloadTooLarge        413
│   └── UnsupportedPayload     415
├── StoreBusy              more is waiting than fits (503, try again)
├── StoreUnavailable       the disk does not take it (503, try again)
├── StoreStopped           the process is on its way out (503, try again)
├── BadQuery               a search parameter that cannot be read (400)
├── DatabaseDamaged        the file is no database of ours, or holds what cannot be read (it is put aside)
├── BadSetting             an environment variable that cannot be read (stops the start)
└── PortUnavailable        a port that cannot be bound (stops the start)
"""

from __future__ import annotations

import sqlite3

from stack.errors import StackError


class TraceStoreError(StackError):
    """Base of all errors of the trace store."""


class PayloadError(TraceStoreError):
    """An export request that cannot be accepted as it is."""


class MalformedPayload(PayloadError):  # noqa: N818 - reads as a state in `except`
    """The body is not what its headers say."""

    def __init__(self, signal: str, reason: str) -> None:
        self.signal, self.reason = signal, reason
        super().__init__(f"the body is not a valid OTLP {signal} export: {reason}")


class PayloadTooLarge(PayloadError):  # noqa: N818 - reads as a state in `except`
    """The body passes the limit, before or after decompression."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the body is larger than {limit_bytes} bytes (decompressed); export smaller batches")


class UnsupportedPayload(PayloadError):  # noqa: N818 - reads as a state in `except`
    """The body has a media type or a coding that the store does not read."""

    def __init__(self, header: str, value: str, supported: str) -> None:
        self.header, self.value, self.supported = header, value, supported
        super().__init__(f"unsupported {header} {value!r}; supported: {supported}")


class StoreBusy(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """Exports arrive faster than they can be written."""

    retry_after_s = 1

    def __init__(self, pending_bytes: int) -> None:
        self.pending_bytes = pending_bytes
        super().__init__(f"{pending_bytes} bytes are waiting to be written already; try again in a second")


class StoreUnavailable(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """The database cannot be written or read now."""

    retry_after_s = 5

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"the trace store cannot use {path}: {reason}; free some disk space or check its permissions")


class StoreStopped(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """An export that came after the last commit."""

    retry_after_s = 1

    def __init__(self) -> None:
        super().__init__("the trace store is stopping and takes nothing more; send it again once it is back")


class BadQuery(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """A query parameter that cannot be used. The words are those of Jaeger's query service."""

    def __init__(self, message: str) -> None:
        super().__init__(message)

    @classmethod
    def unparsable(cls, parameter: str, reason: str) -> BadQuery:
        """Return the error for a parameter whose text cannot be read."""
        return cls(f"unable to parse param '{parameter}': {reason}")

    @classmethod
    def malformed(cls, parameter: str, reason: str) -> BadQuery:
        """Return the same error as API v3 says it."""
        return cls(f"malformed parameter {parameter}: {reason}")


class DatabaseDamaged(TraceStoreError, sqlite3.DatabaseError):  # noqa: N818 - reads as a state in `except`
    """What SQLite itself cannot see: another program's file, a block that does not decompress.

    It never reaches a client as it is: the store puts the file aside and begins another.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class BadSetting(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """An environment variable with a value that is no limit."""

    def __init__(self, key: str, value: str, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key}={value!r} is not {expected}; correct it or unset it")


class PortUnavailable(TraceStoreError):  # noqa: N818 - reads as a state in `except`
    """A port of the trace store that cannot be bound."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host, self.port, self.reason = host, port, reason
        super().__init__(
            f"the trace store cannot listen on {host}:{port}: {reason}; free the port or move all with --port-offset"
        )
