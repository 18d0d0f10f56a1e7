# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of the format pages from the JSON Schemas, so that the two cannot differ.

A page holds each table between ``<!-- keys of NAME -->`` and ``<!-- end -->``, NAME a file of ``harness/schemas``.
Run it after changing a schema: ``python docs/generate.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
SCHEMAS = DOCS.parent / "harness" / "schemas"
PAGES = ("run-bundle.md", "suite.md")

_TABLE = re.compile(r"(<!-- keys of (?P<schema>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Schema = dict[str, Any]


def page(text: str) -> str:
    """The text of a page with every table in it made anew."""
    return _TABLE.sub(lambda match: match[1] + table(_read(match["schema"])) + match[3], text)


def table(schema: Schema) -> str:
    """Markdown table of a schema's keys, those inside other objects by their path."""
    lines = ["| key | type | required | meaning |", "|---|---|---|---|"]
    for path, part, required in _keys(schema, schema, ""):
        meaning = part.get("description", "").replace("|", r"\|")
        lines.append(f"| `{path}` | {_type(part, schema)} | {'yes' if required else 'no'} | {meaning} |")
    return "\n".join(lines) + "\n"


def _read(name: str) -> Schema:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


def _keys(part: Schema, root: Schema, prefix: str) -> Iterator[tuple[str, Schema, bool]]:
    """Path, schema, and whether it is required (within what it lies in), in the order of the file."""
    for option in part.get("anyOf", ()):
        yield from _keys(_resolve(option, root), root, prefix)
    if "items" in part:
        yield from _keys(_resolve(part["items"], root), root, f"{prefix.removesuffix('.')}[].")
    for name, value in part.get("properties", {}).items():
        resolved = _resolve(value, root)
        yield prefix + name, resolved, name in part.get("required", ())
        yield from _keys(resolved, root, f"{prefix}{name}.")


def _resolve(part: Schema, root: Schema) -> Schema:
    """What a reference stands for; what is written beside it comes first."""
    if "$ref" not in part:
        return part
    return {**root["$defs"][part["$ref"].removeprefix("#/$defs/")], **part}


def _type(part: Schema, root: Schema) -> str:
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "anyOf" in part:
        return " or ".join(_type(_resolve(option, root), root) for option in part["anyOf"])
    types = part["type"] if isinstance(part["type"], list) else [part["type"]]
    inner = f" of {_type(_resolve(part['items'], root), root)}s" if "items" in part else ""
    return " or ".join(types) + inner


def main() -> None:
    for name in PAGES:
        path = DOCS / name
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
