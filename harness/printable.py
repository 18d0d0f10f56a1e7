# SPDX-License-Identifier: Apache-2.0
"""Text that others wrote, on a terminal: what would move its cursor or colour it is shown, not done."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with every character that cannot be printed as its escape, such as ``\\x1b``; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)
