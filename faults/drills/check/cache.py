"""Results of sweeps by their content: the same question, asked of the same code, has the same answer.

An entry appears whole or not at all. One that is damaged, or holds anything else than plain values of ours, is as good
as none. It never decides what belongs to a question: ``fingerprint`` does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import hashlib
import io
import os
import pickle
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from stack.home import cache_dir

MOST_BYTES = 256 * 2**20
_MAGIC = b"firedrill tried 1\n"
_LEVEL = 1
_DIGEST = hashlib.sha256().digest_size
_OURS = ("faults.", "stack.")
_PLAIN = {
    ("builtins", "frozenset"),
    ("builtins", "set"),
    ("builtins", "slice"),
    ("pathlib", "PosixPath"),
    ("pathlib", "WindowsPath"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.numeric", "_frombuffer"),
    ("numpy._core.multiarray", "_reconstruct"),
}
V = TypeVar("V")


def cache_folder() -> Path:
    """Return where results are kept, for all homes of this machine."""
    return cache_dir() / "tried"


@dataclass
class Cache:
    """A folder of results, of ``most_bytes`` at most: what was not asked for the longest goes first.

    A folder that cannot be written keeps nothing, which costs time and nothing else.
    """

    folder: Path
    most_bytes: int = MOST_BYTES
    _bytes: int | None = field(default=None, init=False)

    def get(self, key: str, kind: type[V]) -> V | None:
        """Return what is kept under ``key``, a hexadecimal hash; ``None`` where that is nothing, or no ``kind``."""
        path = self._path(key)
        try:
            body = path.read_bytes()
        except OSError:
            return None
        value = _opened(body)
        if not isinstance(value, kind):
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return value

    def has(self, key: str) -> bool:
        """Return whether there is an entry of that key, in whatever state."""
        return self._path(key).is_file()

    def put(self, key: str, value: object) -> None:
        """Keep ``value`` under ``key``."""
        body = _closed(value)
        path = self._path(key)
        partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                partial.write_bytes(body)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError:
            return
        self._bytes = (self._held() if self._bytes is None else self._bytes + len(body)) or 0
        if self._bytes > self.most_bytes:
            self._forget()

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):
                yield path, path.stat()

    def _held(self) -> int:
        return sum(about.st_size for _, about in self._entries())

    def _forget(self) -> None:
        """Remove the oldest entries until a tenth of the room is free again."""
        entries = sorted(self._entries(), key=lambda entry: entry[1].st_mtime)
        held = sum(about.st_size for _, about in entries)
        for path, about in entries:
            if held <= self.most_bytes * 0.9:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                held -= about.st_size
        self._bytes = held


def _closed(value: object) -> bytes:
    body = zlib.compress(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), _LEVEL)
    return _MAGIC + hashlib.sha256(body).digest() + body


def _opened(entry: bytes) -> object:
    """Return the value in ``entry``; ``None`` where it is damaged, or is not one of ours."""
    digest, body = entry[len(_MAGIC) : len(_MAGIC) + _DIGEST], entry[len(_MAGIC) + _DIGEST :]
    if not entry.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
        return None
    try:
        return _Values(io.BytesIO(zlib.decompress(body))).load()
    except Exception:  # noqa: BLE001 - of another version of us, or not ours: whatever it is, there is no result
        return None


class _Values(pickle.Unpickler):
    """Reads plain values alone: our dataclasses, models and enums, and arrays. It calls nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """Return the class of that name; raise ``UnpicklingError`` for anything that is not a value."""
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        if module.startswith(_OURS) and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and found.__module__ == module and _is_value(found):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _is_value(found: type) -> bool:
    return dataclasses.is_dataclass(found) or issubclass(found, (BaseModel, enum.Enum))
