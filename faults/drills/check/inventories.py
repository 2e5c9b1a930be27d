"""The metrics of a user's own targets, from a file that was saved of them. It asks nobody."""

from __future__ import annotations

from pathlib import Path

from faults.drills.check.errors import BadInventory
from faults.drills.lint.inventory import Inventory, read_inventory

MOST_BYTES = 64 * 1024 * 1024


def load_inventory(path: Path, *, complete: bool = False) -> Inventory:
    """Return what the file ``path`` lists, an exposition in either format; ``complete`` declares that this is all.

    Raises ``BadInventory`` and ``UnreadableInventory``.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            limit = MOST_BYTES // 1024 // 1024
            raise BadInventory(str(path), f"it has {size / 1024 / 1024:.0f} MiB, and at most {limit} are read")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInventory(str(path), "there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInventory(str(path), f"it cannot be read ({error})") from None
    return read_inventory(text, str(path), complete)
