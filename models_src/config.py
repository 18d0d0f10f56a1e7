# SPDX-License-Identifier: Apache-2.0
"""An experiment's configuration: the defaults, read together with a YAML file and ``KEY VALUE`` overrides.

Knows names, types and defaults only; what a setting does is decided where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from yacs.config import CfgNode

from harness.contract import Contract
from harness.errors import HarnessError

_TRANSFORMS = [
    {"name": "HorizontalFlip", "p": 0.5},
    {
        "name": "Affine",
        "p": 0.7,
        "scale": {"x": [0.7, 1.35], "y": [0.7, 1.35]},
        "translate_percent": [-0.12, 0.12],
        "rotate": [-15, 15],
        "shear": [-5, 5],
        "border_mode": 1,  # cv2.BORDER_REPLICATE: a body goes on below the picture; black would be learnt
    },
    {"name": "RandomBrightnessContrast", "p": 0.6, "brightness_limit": 0.3, "contrast_limit": 0.3},
    {"name": "HueSaturationValue", "p": 0.4, "hue_shift_limit": 10, "sat_shift_limit": 35, "val_shift_limit": 15},
    {"name": "RandomGamma", "p": 0.2, "gamma_limit": [60, 160]},
    {"name": "ToGray", "p": 0.05},
    {"name": "GaussianBlur", "p": 0.1, "blur_limit": [3, 5]},
    {"name": "MotionBlur", "p": 0.05, "blur_limit": [3, 7]},
    {"name": "GaussNoise", "p": 0.2, "std_range": [0.01, 0.06]},
    {"name": "ImageCompression", "p": 0.3, "quality_range": [35, 90]},
]


def defaults() -> CfgNode:
    """A fresh configuration with every key there is."""
    cfg = CfgNode()
    cfg.EXPERIMENT = "portrait"  # runs go to OUTPUT/EXPERIMENT/<time>/
    cfg.OUTPUT = "runs"
    cfg.SEED = 1

    cfg.DATA = CfgNode()
    cfg.DATA.TRAIN = ""  # folder with images/ and masks/, relative to the working directory
    cfg.DATA.VAL = ""
    cfg.DATA.NEGATIVES = []  # folders of pictures without a person, added to the training set with empty masks

    cfg.INPUT = CfgNode()
    cfg.INPUT.HEIGHT = 224
    cfg.INPUT.WIDTH = 224

    cfg.MODEL = CfgNode()
    cfg.MODEL.NAME = "mobilenet_unet"
    cfg.MODEL.ALPHA = 0.5
    cfg.MODEL.ENCODER_WEIGHTS = "none"  # none | imagenet | path of a weights file of keras.applications.MobileNet
    cfg.MODEL.DECODER = "light"  # light | classic
    # Channels of the decoder's stages, from the coarsest to the one at half the input's size. The light decoder
    # starts at stride 32 and has four, the classic one starts at stride 16 and has four as well (see networks.py).
    cfg.MODEL.DECODER_FILTERS = [128, 64, 32, 16]
    cfg.MODEL.OUTPUT_STRIDE = 1  # 2: output at half the input's size; 1: that, enlarged in the graph

    cfg.AUGMENT = CfgNode()
    cfg.AUGMENT.HEAD_AND_SHOULDERS = 0.6  # share of the full-body pictures that are cropped to the upper body
    cfg.AUGMENT.TRANSFORMS = [dict(t) for t in _TRANSFORMS]  # albumentations, by class name, in this order

    cfg.LOSS = CfgNode()
    cfg.LOSS.BCE = 1.0
    cfg.LOSS.DICE = 1.0

    cfg.TRAIN = CfgNode()
    cfg.TRAIN.INITIAL_WEIGHTS = ""  # a checkpoint of the same network to go on from, e.g. another run's best.keras
    cfg.TRAIN.QUANTISATION_AWARE = False  # round activations in training as int8 will
    cfg.TRAIN.EPOCHS = 24
    cfg.TRAIN.BATCH_SIZE = 32
    cfg.TRAIN.LEARNING_RATE = 2e-3  # peak, AdamW
    cfg.TRAIN.WARMUP_EPOCHS = 1
    cfg.TRAIN.WEIGHT_DECAY = 1e-4
    return cfg


def load(path: str | Path | None = None, overrides: Sequence[str] = ()) -> CfgNode:
    """The defaults, changed by a YAML file and then by overrides.

    Args:
        path: experiment file, or None.
        overrides: flat ``[KEY, VALUE, KEY, VALUE, …]``, e.g. ``["TRAIN.EPOCHS", "3"]``.

    Raises:
        HarnessError: the file is not readable, or a key or the type of a value is wrong; named in the message.
    """
    cfg = defaults()
    if path is not None:
        try:
            cfg.merge_from_file(str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(f"{path}: cannot read the configuration: {error}") from None
        except yaml.YAMLError as error:
            raise HarnessError(f"{path}: not readable as YAML: {error}") from None
        except (KeyError, ValueError, AttributeError, AssertionError, TypeError) as error:
            raise HarnessError(f"{path}: {_sentence(error)}. Known keys: {', '.join(_keys(cfg))}") from None
    try:
        cfg.merge_from_list(list(overrides))
    except (KeyError, ValueError, AssertionError) as error:
        raise HarnessError(f"--set: {_sentence(error)}. Known keys: {', '.join(_keys(cfg))}") from None
    _check(cfg, str(path) if path else "configuration")
    cfg.freeze()
    return cfg


def contract(cfg: CfgNode, output: str) -> Contract:
    """The contract of a network built from ``cfg``; ``output`` is ``logit`` (as trained) or ``probability``.

    MobileNet takes RGB in [-1, 1]; the factor is 2/255.
    """
    return Contract(
        input_height=cfg.INPUT.HEIGHT,
        input_width=cfg.INPUT.WIDTH,
        channels="rgb",
        fit="stretch",
        resize="area",
        scale=(2 / 255,) * 3,
        offset=(-1.0,) * 3,
        output=output,
        foreground=0,
        threshold=0.5,
    )


def _sentence(error: Exception) -> str:
    # The text of a KeyError is the repr of its argument.
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error).rstrip(".")


def _keys(node: CfgNode, prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, value in node.items():
        keys += _keys(value, f"{prefix}{name}.") if isinstance(value, CfgNode) else [prefix + name]
    return keys


def _check(cfg: CfgNode, where: str) -> None:
    checks = {
        "MODEL.NAME must be mobilenet_unet": cfg.MODEL.NAME == "mobilenet_unet",
        "MODEL.DECODER must be light or classic": cfg.MODEL.DECODER in ("light", "classic"),
        "MODEL.DECODER_FILTERS must be four whole numbers": len(cfg.MODEL.DECODER_FILTERS) == 4
        and all(isinstance(f, int) and f > 0 for f in cfg.MODEL.DECODER_FILTERS),
        "MODEL.OUTPUT_STRIDE must be 1 or 2": cfg.MODEL.OUTPUT_STRIDE in (1, 2),
        "INPUT.HEIGHT and INPUT.WIDTH must be multiples of 32, at least 32": all(
            s >= 32 and s % 32 == 0 for s in (cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH)
        ),
        "TRAIN.EPOCHS and TRAIN.BATCH_SIZE must be at least 1": min(cfg.TRAIN.EPOCHS, cfg.TRAIN.BATCH_SIZE) >= 1,
        "AUGMENT.TRANSFORMS must be a list of mappings with a name": all(
            isinstance(t, dict) and "name" in t for t in cfg.AUGMENT.TRANSFORMS
        ),
    }
    if wrong := [text for text, fine in checks.items() if not fine]:
        raise HarnessError(f"{where}: {'; '.join(wrong)}")
