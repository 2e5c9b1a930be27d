"""The two roles, and the header by which the gate tells the panel which of them a viewer has. A leaf."""

from __future__ import annotations

from typing import Literal

Role = Literal["operator", "reader"]
HEADER = "X-Firedrill-Role"
"""Set by the gate on what it lets through, never taken from a browser."""
