"""Fixtures of the panel's tests."""

from __future__ import annotations

from canned_pages import open_page

__all__ = ["open_page"]
