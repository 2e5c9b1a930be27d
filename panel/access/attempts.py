"""How often somebody may guess: a bucket of tries for each address and one for all of them together.

Whoever guesses right gets the try back. Who is in already is not concerned. Nothing here knows a password.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

EACH, EACH_PER_S = 10.0, 1 / 6
"""Ten wrong tries at once from one address, then one every six seconds."""
ALL, ALL_PER_S = 100.0, 1.0
"""A hundred from everywhere, then one a second: a code of 31^6 lasts for decades."""
_REMEMBERED = 4096


@dataclass
class _Bucket:
    """So many tries were left at the time ``at`` (seconds)."""

    left: float
    at: float


class Attempts:
    """Counts wrong tries. ``clock`` gives seconds that never go back."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._all = _Bucket(ALL, clock())
        self._each: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> float:
        """Take one try for ``address`` and return 0, or take none and return the seconds to wait for the next."""
        now, key = self._clock(), _network(address)
        mine = self._each.setdefault(key, _Bucket(EACH, now))
        self._each.move_to_end(key)
        if len(self._each) > _REMEMBERED:
            self._each.popitem(last=False)
        wait_s = max(_wait(mine, EACH, EACH_PER_S, now), _wait(self._all, ALL, ALL_PER_S, now))
        if wait_s == 0.0:
            mine.left -= 1.0
            self._all.left -= 1.0
        return wait_s

    def give_back(self, address: str) -> None:
        """Give back the try of somebody who got in."""
        if mine := self._each.get(_network(address)):
            mine.left = min(EACH, mine.left + 1.0)
        self._all.left = min(ALL, self._all.left + 1.0)


def _wait(bucket: _Bucket, size: float, per_s: float, now: float) -> float:
    """Refill the bucket and return in how many seconds it holds a whole try; 0 where it does."""
    bucket.left, bucket.at = min(size, bucket.left + max(0.0, now - bucket.at) * per_s), now
    return 0.0 if bucket.left >= 1.0 else (1.0 - bucket.left) / per_s


def _network(address: str) -> str:
    """Return what counts as one address: of IPv6 the network that a subscriber has whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
