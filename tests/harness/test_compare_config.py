# SPDX-License-Identifier: Apache-2.0
"""Comparison configurations: what is read, and what is said of a file that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import compare_config, gates, runtime
from harness.compare_config import CompareConfig
from harness.errors import HarnessError
from harness.resources import data_folder


def written(folder: Path, text: str) -> Path:
    path = folder / "release.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_a_configuration_can_say_is_read(tmp_path: Path) -> None:
    text = (
        "runs: [keras, tflite:int8, old/phone.run]\ngates: ../gates.yaml\nmodel: models/portrait\nsuite: portraits\n"
        "lane: both\nprofile: quick\nthreads: 2\ncontract: their.toml\n"
    )

    config = compare_config.load(written(tmp_path, text))

    assert config.runs == ("keras", "tflite:int8", "old/phone.run")
    assert Path(config.gates or "") == tmp_path / ".." / "gates.yaml"
    assert config.options == {
        "model": "models/portrait",
        "suite": "portraits",
        "lane": "both",
        "profile": "quick",
        "threads": 2,
        "contract": "their.toml",
    }


def test_everything_is_optional(tmp_path: Path) -> None:
    assert compare_config.load(written(tmp_path, "# nothing yet\n")) == CompareConfig()


def test_the_shipped_configurations_can_be_used() -> None:
    shipped = sorted(data_folder("configs").glob("compare/*.yaml"))
    assert shipped

    for path in shipped:
        config = compare_config.load(path)
        assert [runtime.parse_spec(run).text for run in config.runs] == list(config.runs)
        assert config.gates is None or gates.load(config.gates).entries


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- keras\n", "not a table; known: runs, gates, "),
        ("runtimes: [keras]\n", "unknown key runtimes; known: runs, gates, "),
        ("runtimes: [keras]\n1: 2\n", "unknown key 1, runtimes; "),
        ("runs: keras\n", "runs is 'keras', expected a list"),
        ("gates: 1\n", "gates is 1, expected a str"),
        ("threads: two\n", "threads is 'two', expected a int"),
        ("threads: true\n", "threads is True, expected a int"),
        ("runs: [\n", "cannot read the configuration"),
        ("runs: !!python/name:os.getcwd\n", "cannot read the configuration"),
    ],
)
def test_a_file_that_is_no_configuration_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=rf"release\.yaml: {message}") as caught:
        compare_config.load(written(tmp_path, text))

    assert caught.value.exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "release.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(HarnessError, match=r"release\.yaml: cannot read the configuration"):
        compare_config.load(path)
