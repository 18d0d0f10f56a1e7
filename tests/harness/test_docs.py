# SPDX-License-Identifier: Apache-2.0
"""The pages about the formats say what the schemas and the code say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from harness.bundle import SAMPLE_FIELDS
from tests import scripts

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    return scripts.load("docs/generate.py")


@pytest.mark.parametrize("name", ["run-bundle.md", "suite.md"])
def test_a_page_is_what_its_schema_makes_it(generate: ModuleType, name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")

    assert generate.page(committed) == committed, "run: python docs/generate.py"


@pytest.mark.parametrize(("name", "schema"), [("run-bundle.md", "run-1"), ("suite.md", "suite-1")])
def test_a_page_has_a_row_for_every_key_that_must_be_there(name: str, schema: str) -> None:
    rows = re.findall(r"^\| `([^`]+)` \| .* \| yes \| .+ \|$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE)
    required = json.loads((ROOT / f"harness/schemas/{schema}.json").read_text(encoding="utf-8"))["required"]

    assert [row for row in rows if "." not in row] == required


def test_a_table_follows_references_alternatives_and_lists(generate: ModuleType) -> None:
    schema = {
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "description": "All of a|b.", "items": {"$ref": "#/$defs/pair"}},
            "b": {"anyOf": [{"$ref": "#/$defs/pair"}, {"type": "null"}], "description": "One."},
        },
        "$defs": {"pair": {"type": "object", "properties": {"x": {"enum": [1, 2], "description": "Left."}}}},
    }

    assert generate.table(schema).splitlines()[2:] == [
        r"| `a` | array of objects | yes | All of a\|b. |",
        "| `a[].x` | `1`, `2` | no | Left. |",
        "| `b` | object or null | no | One. |",
        "| `b.x` | `1`, `2` | no | Left. |",
    ]


def test_the_page_lists_the_columns_of_the_samples_in_their_order() -> None:
    samples = (DOCS / "run-bundle.md").read_text(encoding="utf-8").split("## samples.csv")[1]

    assert tuple(re.findall(r"^\| `(\w+)` \|", samples, re.MULTILINE)) == SAMPLE_FIELDS


@pytest.mark.parametrize("page", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []
