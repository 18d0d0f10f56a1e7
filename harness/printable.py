# SPDX-License-Identifier: Apache-2.0
"""Text that others wrote, for a terminal: what would move its cursor or colour it is shown, not done, and it ends."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text with every character that cannot be printed as its escape, such as ``\\x1b``; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, longest: int = 300) -> str:
    """The text; of one that is longer, its beginning and its end, where a message says what is wrong with a value."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]} … {text[-(longest // 2) :]}"
