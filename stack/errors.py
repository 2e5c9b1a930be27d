"""What can go wrong in the stack. Every subclass takes facts and builds its own message.

StackError
├── SourceError            a Prometheus, Alertmanager or trace store that did not answer as it should
│   ├── SourceUnreachable
│   └── QueryRefused
└── (provisioning, configuration, rules and supervision add theirs beside the code that raises them)
"""

from __future__ import annotations


class StackError(Exception):
    """Base of all errors of this package."""


class SourceError(StackError):
    """A source of data did not give what was asked."""


class SourceUnreachable(SourceError):  # noqa: N818 - reads as a state in `except` and in the panel
    """Nothing answers at a source's address, or not in time."""

    def __init__(self, source: str, url: str, reason: str) -> None:
        self.source, self.url, self.reason = source, url, reason
        super().__init__(
            f"{source} is unreachable at {url} ({reason}); start it with `firedrill up`, or see `firedrill status`"
        )


class QueryRefused(SourceError):  # noqa: N818 - as above
    """A source answered, and refused the query."""

    def __init__(self, source: str, query: str, reason: str) -> None:
        self.source, self.query, self.reason = source, query, reason
        super().__init__(f"{source} refused {query!r}: {reason}")
