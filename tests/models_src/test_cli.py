# SPDX-License-Identifier: Apache-2.0
"""``segmodel data``: what is printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from models_src.datasets import manifest
from tests.models_src.conftest import SMOKE, segmodel, write_pairs


def test_verify_counts_what_can_be_used_or_names_what_cannot(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path, 5, seed=1)

    assert segmodel("data", "verify", folder).stdout == f"{folder}: 5 pictures, all can be used\n"
    assert json.loads(segmodel("data", "verify", folder, "--json").stdout) == {"pictures": 5, "sources": 1}
    (folder / "masks" / "p3.png").write_bytes(b"")
    result = segmodel("data", "verify", folder)
    assert result.exit_code == 2
    assert "1 fault;" in result.stderr and "p3.png" in result.stderr


def test_stats_tell_sizes_and_how_much_is_people(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path, 5, seed=1)
    shares = [float((sample.read()[1] > 127).mean()) for sample in manifest.load(folder).samples]

    (row,) = json.loads(segmodel("data", "stats", folder, "--json").stdout)

    assert (row["pictures"], row["groups"], row["nobody"]) == (5, 5, 0)
    assert row["width"] == [80, 80, 80] and row["height"] == [96, 96, 96]
    assert np.isclose(row["people"][1], np.median(shares), atol=1e-4)
    assert str(folder) in segmodel("data", "stats", folder).stdout.splitlines()[1]


def test_a_preview_shows_pictures_with_the_outlines_of_their_masks(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 5, seed=1)

    assert segmodel("data", "preview", folder, "--out", tmp_path / "sheet.png", "--count", 4).exit_code == 0

    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (192, 4 * 192, 3)
    assert (sheet[..., 1].astype(int) - sheet.max(axis=2, where=[True, False, True], initial=0) > 60).any()
    result = segmodel("data", "preview", folder, "--out", tmp_path / "train.jpg", "--config", SMOKE)
    assert result.exit_code == 0 and (tmp_path / "train.jpg").is_file()
    assert segmodel("data", "preview", folder, "--out", tmp_path / "sheet.gif").exit_code == 2


def test_a_split_is_two_manifests_that_together_are_the_set(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 30, seed=1)

    result = segmodel("data", "split", folder, "--out", tmp_path / "parts", "--val", 0.3)

    assert result.exit_code == 0, result.output
    parts = [manifest.load(tmp_path / "parts" / f"{part}.yaml").samples for part in ("train", "val")]
    names = [sample.name for part in parts for sample in part]
    assert sorted(names) == sorted(sample.name for sample in manifest.load(folder).samples)
    assert segmodel("data", "split", folder, "--out", tmp_path / "none", "--val", 0).exit_code == 2


def test_help_names_every_command() -> None:
    text = segmodel("--help").stdout

    for command in ("train", "average", "export", "evaluate", "data", "synth", "sweep"):
        assert f"\n  {command} " in text
