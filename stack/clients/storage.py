"""What Prometheus's admin API can do to its storage: take samples away. It reads nothing and writes no samples.

Prometheus has to run with ``--web.enable-admin-api``. Samples that came out of order and are still in memory cannot be
taken away: Prometheus has no tombstones for them (its issue 11790). Samples in blocks can, at once.
"""

from __future__ import annotations

import httpx

from stack.clients.source import Client
from stack.errors import QueryRefused

NAME = "Prometheus"
FLAG = "--web.enable-admin-api"


class StorageClient(Client):
    """The storage of the Prometheus at ``url``."""

    name = NAME

    def delete(self, selector: str, start: float, end: float) -> None:
        """Take away the samples of ``selector`` from ``start`` to ``end``, both included, Unix seconds."""
        asked = {"match[]": selector, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        _accepted(self._source.post("/api/v1/admin/tsdb/delete_series", asked), f"the deletion of {selector}")

    def clean(self) -> None:
        """Rewrite the blocks that something was taken away from.

        Where there are such, Prometheus looks into its folder meanwhile, and finds new blocks at once; else within a
        minute.
        """
        _accepted(self._source.post("/api/v1/admin/tsdb/clean_tombstones"), "cleaning up")


def _accepted(response: httpx.Response, what: str) -> None:
    if response.is_success:
        return
    reason = " ".join(response.text.split())[:300] or f"status {response.status_code}"
    if "disabled" in reason:
        reason = f"it was started without {FLAG}"
    raise QueryRefused(NAME, what, reason)
