# SPDX-License-Identifier: Apache-2.0
"""Configurations: defaults, files, overrides, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import contract as contracts
from harness.errors import HarnessError
from models_src import config
from tests.models_src.conftest import REPOSITORY, SMOKE


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs" / "train").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_experiment_is_readable(path: Path) -> None:
    assert path.stem == config.load(path).EXPERIMENT


def test_overrides_win_over_the_file_and_the_file_over_the_defaults() -> None:
    cfg = config.load(SMOKE, ["TRAIN.EPOCHS", "7"])
    assert (cfg.TRAIN.EPOCHS, cfg.TRAIN.BATCH_SIZE, cfg.SEED) == (7, 4, config.defaults().SEED)


def test_a_whole_number_will_do_where_the_default_is_a_fraction(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("LOSS:\n  BOUNDARY: 3\n", encoding="utf-8")
    cfg = config.load(tmp_path / "config.yaml", ["LOSS.DICE", "2"])
    assert (cfg.LOSS.BOUNDARY, cfg.LOSS.DICE) == (3.0, 2.0)


def test_a_file_may_build_on_another_and_changes_only_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "first.yaml").write_text("EXPERIMENT: first\nTRAIN: {EPOCHS: 3, EMA: 0.5}\nMODEL: {ALPHA: 0.25}\n")
    (tmp_path / "second.yaml").write_text("BASE: first.yaml\nEXPERIMENT: second\nTRAIN: {EPOCHS: 4}\n")
    (tmp_path / "more/third.yaml").write_text("BASE: ../second.yaml\nEXPERIMENT: third\nTRAIN: {EMA: 0}\n")

    cfg = config.load(tmp_path / "more/third.yaml", ["TRAIN.EPOCHS", "7"])

    assert (cfg.EXPERIMENT, cfg.TRAIN.EPOCHS, cfg.TRAIN.EMA, cfg.MODEL.ALPHA) == ("third", 7, 0.0, 0.25)
    assert "BASE" not in cfg
    (tmp_path / "first.yaml").write_text("TRAIN: {EPOCHS: many}\n")
    with pytest.raises(HarnessError, match=r"first\.yaml: .*TRAIN\.EPOCHS"):
        config.load(tmp_path / "more/third.yaml")


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("config.yaml", r"config\.yaml: BASE goes in a circle"),
        ("other.yaml", r"config\.yaml: BASE goes in a circle.*other\.yaml"),
        ("nowhere.yaml", r"nowhere\.yaml: cannot read the configuration"),
        ("[other.yaml]", r"config\.yaml: BASE names one file"),
    ],
)
def test_a_file_that_cannot_be_built_on_is_refused(tmp_path: Path, base: str, told: str) -> None:
    (tmp_path / "config.yaml").write_text(f"BASE: {base}\n")
    (tmp_path / "other.yaml").write_text("BASE: config.yaml\n")
    with pytest.raises(HarnessError, match=told):
        config.load(tmp_path / "config.yaml")


def test_a_dumped_configuration_reads_back_equal(tmp_path: Path) -> None:
    cfg = config.load(SMOKE, ["MODEL.DECODER", "classic"])
    (tmp_path / "config.yaml").write_text(cfg.dump(), encoding="utf-8")
    assert config.load(tmp_path / "config.yaml") == cfg


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("TRAIN:\n  EPOCH: 3\n", "TRAIN.EPOCH"),
        ("TRAIN:\n  EPOCHS: many\n", "TRAIN.EPOCHS"),
        ("TRAIN: [\n", "YAML"),
        ("INPUT:\n  HEIGHT: 100\n", "INPUT.HEIGHT"),
        ("MODEL:\n  DECODER: heavy\n", "light or classic"),
        ("- a list\n", "config.yaml"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HarnessError, match="config.yaml") as caught:
        config.load(path)
    assert named in str(caught.value)


@pytest.mark.parametrize("overrides", [["TRAIN.EPOCH", "3"], ["TRAIN.EPOCHS", "many"], ["NOTHING", "1"]])
def test_a_wrong_override_is_refused_by_name(overrides: list[str]) -> None:
    with pytest.raises(HarnessError, match=overrides[0].split(".")[-1]):
        config.load(SMOKE, overrides)


def test_the_contract_maps_pixels_to_minus_one_and_one() -> None:
    contract = config.contract(config.load(SMOKE), "probability")
    table = contracts.normalisation_table(contracts.parse(contract.to_toml()))
    assert (table[0] == -1).all() and (table[255] == 1).all()
