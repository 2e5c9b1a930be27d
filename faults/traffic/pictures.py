"""Pictures as uploads: a grey PNG by hand, in a multipart form. Small enough to need no imaging library."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

BOUNDARY = "firedrill-traffic-7c1f0e5b"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def png(pixels: Sequence[int], width: int) -> bytes:
    """Return a PNG of ``pixels``, grey levels from 0 to 255, row by row (PNG specification, 2nd edition, 11.2)."""
    lines = b"".join(b"\0" + bytes(pixels[start : start + width]) for start in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, len(pixels) // width, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def upload(picture: bytes) -> bytes:
    """Return the form that sends ``picture`` as its field ``file``; its type is ``CONTENT_TYPE``."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="traffic.png"\r\n'
    return f"{head}Content-Type: image/png\r\n\r\n".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()
