"""Samples as a remote-write request: protobuf, encoded by numpy, and snappy. Nothing is sent here.

Source: Prometheus's Remote-Write 1.0 specification (prompb/remote.proto, prompb/types.proto). A sample is 18 bytes as
long as its time takes six bytes as a varint, which holds from 1971 to 2109; the judge places its worlds there. The bits
of a value are copied as they are, so that stale markers arrive as such.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cramjam
import numpy as np
from numpy.typing import NDArray

from faults.drills.virtual.recording import Labels

EARLIEST_MS = 2**35
LATEST_MS = 2**42 - 1
MOST_SAMPLES = 200_000
"""In one request; some 4 MB before compression."""
_SAMPLE = 18
_VARINT = 6


@dataclass(frozen=True, eq=False)
class Samples:
    """Some series, ready to be written at any time. Series do not share labels; times of one rise."""

    heads: tuple[bytes, ...]
    """Of each series: its labels, encoded."""
    ends: NDArray[np.int64]
    """Of each series: where its samples end among all, from 0; shape (n_series,)."""
    times_ms: NDArray[np.int64]
    """Of all samples, series by series; shape (n_samples,)."""
    values: NDArray[np.float64]

    @property
    def count(self) -> int:
        """Return how many samples there are."""
        return len(self.times_ms)

    def requests(self, shift_ms: int) -> Iterator[bytes]:
        """Yield the bodies of the requests that write all samples ``shift_ms`` later than they were recorded.

        The samples of a series come in the order of their times. Raises ``ValueError`` for times out of 1971 to 2109.
        """
        body = _encoded(self.times_ms + shift_ms, self.values)
        for part in _parts(self.ends.tolist()):
            message = b"".join(_series(self.heads[index], body[start:end]) for index, start, end in part)
            yield bytes(cramjam.snappy.compress_raw(message))


def samples_of(series: Iterable[tuple[Labels, NDArray[np.int64], NDArray[np.float64]]]) -> Samples:
    """Return ``series``, each as labels with ``__name__``, times in Unix milliseconds, values; empty ones left out."""
    kept = [one for one in series if len(one[1])]
    if not kept:
        nothing = np.zeros(0, np.int64)
        return Samples((), nothing, nothing, np.zeros(0, np.float64))
    return Samples(
        tuple(_head(labels) for labels, _, _ in kept),
        np.cumsum([len(times) for _, times, _ in kept], dtype=np.int64),
        np.concatenate([times for _, times, _ in kept]).astype(np.int64, copy=False),
        np.concatenate([values for _, _, values in kept]).astype(np.float64, copy=False),
    )


def _parts(ends: Sequence[int]) -> Iterator[list[tuple[int, int, int]]]:
    """Yield, for each request, its slices: which series, from which sample, to before which."""
    part: list[tuple[int, int, int]] = []
    held = 0
    for index, (start, end) in enumerate(itertools.pairwise((0, *ends))):
        for low in range(start, end, MOST_SAMPLES):
            high = min(low + MOST_SAMPLES, end)
            if part and held + high - low > MOST_SAMPLES:
                yield part
                part, held = [], 0
            part.append((index, low, high))
            held += high - low
    if part:
        yield part


def _encoded(times_ms: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the samples as bytes, shape (n_samples, 18): each a field 2 of its series, with value and timestamp."""
    if len(times_ms) and (times_ms.min() < EARLIEST_MS or times_ms.max() > LATEST_MS):
        raise ValueError(f"times from {times_ms.min()} to {times_ms.max()} ms; expected 1971 to 2109")
    body = np.empty((len(times_ms), _SAMPLE), np.uint8)
    body[:, 0] = 0x12  # field 2, length-delimited: a sample
    body[:, 1] = _SAMPLE - 2
    body[:, 2] = 0x09  # field 1, 64 bit: the value
    body[:, 3:11] = np.ascontiguousarray(values, "<f8").view(np.uint8).reshape(-1, 8)
    body[:, 11] = 0x10  # field 2, varint: the timestamp
    for index in range(_VARINT):
        more = 0x80 if index < _VARINT - 1 else 0x00
        body[:, 12 + index] = (times_ms >> (7 * index)) & 0x7F | more
    return body


def _series(head: bytes, samples: NDArray[np.uint8]) -> bytes:
    body = samples.tobytes()
    return b"\x0a" + _varint(len(head) + len(body)) + head + body


@lru_cache(maxsize=1 << 16)
def _head(labels: Labels) -> bytes:
    return b"".join(_field(_field(name, 1) + _field(value, 2), 1) for name, value in labels)


def _field(content: str | bytes, number: int) -> bytes:
    held = content.encode() if isinstance(content, str) else content
    return bytes((number << 3 | 2,)) + _varint(len(held)) + held


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
