# SPDX-License-Identifier: Apache-2.0
"""An experiment's configuration: the defaults, read together with a YAML file and ``KEY VALUE`` overrides. The file may
build on another: ``BASE: other.yaml``, relative to it.

Knows names, types and defaults only; what a setting does is decided where it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from yacs.config import CfgNode

from harness.contract import Contract
from harness.errors import HarnessError

_TRANSFORMS = [
    {"name": "HorizontalFlip", "p": 0.5},
    {
        "name": "Affine",
        "p": 0.6,
        "scale": {"x": [0.75, 1.35], "y": [0.75, 1.35]},
        "translate_percent": [-0.1, 0.1],
        "rotate": [-12, 12],
        "shear": [-4, 4],
        "border_mode": 1,  # cv2.BORDER_REPLICATE: a body goes on below the picture; black would be learnt
    },
    {"name": "RandomBrightnessContrast", "p": 0.5, "brightness_limit": 0.25, "contrast_limit": 0.25},
    {"name": "HueSaturationValue", "p": 0.4, "hue_shift_limit": 10, "sat_shift_limit": 40, "val_shift_limit": 10},
    {"name": "RandomGamma", "p": 0.2, "gamma_limit": [60, 160]},
    {"name": "RGBShift", "p": 0.1, "r_shift_limit": 25, "g_shift_limit": 25, "b_shift_limit": 25},
    {"name": "ToGray", "p": 0.05},
    {"name": "ToSepia", "p": 0.01},
    {"name": "GaussianBlur", "p": 0.05, "blur_limit": [3, 5]},
    {"name": "MotionBlur", "p": 0.03, "blur_limit": [3, 7]},
    {"name": "GaussNoise", "p": 0.15, "std_range": [0.01, 0.05]},
    {"name": "ImageCompression", "p": 0.2, "quality_range": [40, 90]},
]


def defaults() -> CfgNode:
    """A fresh configuration with every key there is."""
    cfg = CfgNode()
    cfg.EXPERIMENT = "portrait"  # runs go to OUTPUT/EXPERIMENT/<time>/
    cfg.OUTPUT = "runs"
    cfg.SEED = 1

    cfg.DATA = CfgNode()
    cfg.DATA.TRAIN = ""  # a set in any format, or a manifest that mixes several; relative to the working directory
    cfg.DATA.VAL = ""

    cfg.INPUT = CfgNode()
    cfg.INPUT.HEIGHT = 224
    cfg.INPUT.WIDTH = 224

    cfg.MODEL = CfgNode()
    cfg.MODEL.NAME = "mobilenet_unet"
    cfg.MODEL.ENCODER = "mobilenet_v1"  # mobilenet_v1 | mobilenet_v2 | mobilenet_v3_small | mobilenet_v3_large
    cfg.MODEL.ALPHA = 0.5
    cfg.MODEL.ENCODER_WEIGHTS = "none"  # none | imagenet | a weights file of keras.applications; {alpha} is the width
    cfg.MODEL.DECODER = "light"  # light | classic
    # Channels of the decoder's stages, from the coarsest to the one at half the input's size. The light decoder has
    # four where it starts at stride 32, three where it starts at stride 16; the classic one has four (networks.py).
    cfg.MODEL.DECODER_FILTERS = [128, 64, 32, 16]
    cfg.MODEL.OUTPUT = "bilinear"  # half: half the input's size; bilinear: that, enlarged; subpixel: four of each

    cfg.AUGMENT = CfgNode()
    cfg.AUGMENT.HEAD_AND_SHOULDERS = 0.6  # share of the full-body pictures that are cropped to the upper body
    cfg.AUGMENT.BACKGROUNDS = []  # folders of pictures without people
    cfg.AUGMENT.REPLACE_BACKGROUND = 0.0  # share of the people that are put before one of them
    # Albumentations, by class name: those that move pixels first, then those that only change them, each in this order.
    cfg.AUGMENT.TRANSFORMS = [dict(t) for t in _TRANSFORMS]

    cfg.LOSS = CfgNode()
    cfg.LOSS.BCE = 1.0
    cfg.LOSS.DICE = 1.0
    cfg.LOSS.BOUNDARY = 0.0  # how much more than 1 a pixel at the mask's edge weighs in the cross-entropy
    cfg.LOSS.DISTILL = 0.0  # weight of the cross-entropy against the teacher

    cfg.TEACHER = ""  # MODEL or MODEL,CONTRACT: a Keras or TFLite model that sees every augmented picture as well

    cfg.TRAIN = CfgNode()
    # What to go on from: a checkpoint of the same network, a run, or an experiment's folder, meaning its latest run.
    cfg.TRAIN.INITIAL_WEIGHTS = ""
    cfg.TRAIN.QUANTISATION_AWARE = False  # round each ReLU6 in training as int8 will; v3 encoders have none
    cfg.TRAIN.EPOCHS = 24
    cfg.TRAIN.BATCH_SIZE = 32
    cfg.TRAIN.LEARNING_RATE = 2e-3  # peak, AdamW
    cfg.TRAIN.SCHEDULE = "cosine"  # cosine and linear: down to 0; constant
    cfg.TRAIN.WARMUP_EPOCHS = 1
    cfg.TRAIN.WEIGHT_DECAY = 1e-4
    cfg.TRAIN.EMA = 0.0  # momentum of the mean of the weights that is judged and kept, e.g. 0.999; 0 for none
    cfg.TRAIN.PATIENCE = 0  # epochs without a better validation IoU after which it stops; 0 for never
    cfg.TRAIN.PRECISION = "float32"  # float32 | mixed_bfloat16
    cfg.TRAIN.DEVICES = 1  # of this machine; 0 for all there are

    cfg.NOTIFY = CfgNode()
    cfg.NOTIFY.EVERY_EPOCHS = 0  # Telegram tells of every n-th epoch, with validation masks; 0 for none
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
        _merge(cfg, Path(path))
    try:
        cfg.merge_from_list(
            [text for pair in zip(overrides[::2], overrides[1::2], strict=True) for text in _pair(*pair, cfg)]
        )
    except (KeyError, ValueError, AssertionError) as error:
        raise HarnessError(f"--set: {_sentence(error)}. Known keys: {', '.join(_flat(cfg))}") from None
    _check(cfg, str(path) if path else "configuration")
    cfg.freeze()
    return cfg


def _merge(cfg: CfgNode, path: Path, above: tuple[Path, ...] = ()) -> None:
    """Change a configuration by the file that an experiment builds on, and then by its own; ``above`` build on it."""
    if path.resolve() in above:
        raise HarnessError(f"{path}: BASE goes in a circle: it is built on by {above[-1]}, which builds on it")
    try:
        with open(path, encoding="utf-8") as file:
            read = CfgNode.load_cfg(file)
        if base := read.pop("BASE", ""):
            if not isinstance(base, str):
                raise ValueError("BASE names one file")
            _merge(cfg, path.parent / base, (*above, path.resolve()))
        _widen(read, cfg)
        cfg.merge_from_other_cfg(read)
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path}: cannot read the configuration: {error}") from None
    except yaml.YAMLError as error:
        raise HarnessError(f"{path}: not readable as YAML: {error}") from None
    except (KeyError, ValueError, AttributeError, AssertionError, TypeError) as error:
        raise HarnessError(f"{path}: {_sentence(error)}. Known keys: BASE, {', '.join(_flat(cfg))}") from None


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


def differences(asked: CfgNode, recorded: CfgNode) -> dict[str, str]:
    """The settings that a run has otherwise than asked for, in words: ``{KEY: "KEY 3, not 4"}``, what it has first.

    ``TRAIN.INITIAL_WEIGHTS`` is the same where a run or an experiment is asked for and a checkpoint of it recorded.
    """
    found, had = _flat(asked), _flat(recorded)
    weights = "TRAIN.INITIAL_WEIGHTS"
    if found[weights] and Path(had[weights]).is_relative_to(found[weights]):
        found[weights] = had[weights]
    return {key: f"{key} {had[key]!r}, not {found[key]!r}" for key in found if found[key] != had[key]}


def _widen(node: CfgNode, default: CfgNode) -> None:
    """Make whole numbers of a file floating where the default is: yacs would refuse ``2`` for ``2.0``."""
    for key, value in node.items():
        if isinstance(value, CfgNode) and isinstance(default.get(key), CfgNode):
            _widen(value, default[key])
        elif type(value) is int and type(default.get(key)) is float:
            node[key] = float(value)


def _pair(key: str, value: str, cfg: CfgNode) -> tuple[str, str]:
    """An override, with the same done to it."""
    default: Any = cfg
    for name in key.split("."):
        default = default.get(name) if isinstance(default, CfgNode) else None
    return key, f"{value}.0" if type(default) is float and value.strip("+-").isdigit() else value


def _sentence(error: Exception) -> str:
    # The text of a KeyError is the repr of its argument.
    return str(error.args[0] if isinstance(error, KeyError) and error.args else error).rstrip(".")


def _flat(node: CfgNode, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in node.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, CfgNode) else {prefix + name: value}
    return flat


def _check(cfg: CfgNode, where: str) -> None:
    # The stride at which the decoder starts.
    stride = 32 if cfg.MODEL.DECODER == "light" and len(cfg.MODEL.DECODER_FILTERS) == 4 else 16
    checks = {
        "MODEL.NAME must be mobilenet_unet": cfg.MODEL.NAME == "mobilenet_unet",
        "MODEL.DECODER must be light or classic": cfg.MODEL.DECODER in ("light", "classic"),
        "MODEL.ENCODER must be mobilenet_v1, mobilenet_v2, mobilenet_v3_small or mobilenet_v3_large": cfg.MODEL.ENCODER
        in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
        "MODEL.DECODER_FILTERS must be four whole numbers, or three of a light decoder": len(cfg.MODEL.DECODER_FILTERS)
        in ((3, 4) if cfg.MODEL.DECODER == "light" else (4,))
        and all(isinstance(f, int) and f > 0 for f in cfg.MODEL.DECODER_FILTERS),
        "MODEL.OUTPUT must be half, bilinear or subpixel": cfg.MODEL.OUTPUT in ("half", "bilinear", "subpixel"),
        "TRAIN.SCHEDULE must be cosine, linear or constant": cfg.TRAIN.SCHEDULE in ("cosine", "linear", "constant"),
        # mixed_float16 skips steps whose gradient overflows, and the number of steps would no longer tell the epoch.
        "TRAIN.PRECISION must be float32 or mixed_bfloat16": cfg.TRAIN.PRECISION in ("float32", "mixed_bfloat16"),
        "TRAIN.EMA must be at least 0 and below 1": 0 <= cfg.TRAIN.EMA < 1,
        "TRAIN.PATIENCE and TRAIN.DEVICES must be at least 0": min(cfg.TRAIN.PATIENCE, cfg.TRAIN.DEVICES) >= 0,
        "LOSS.DISTILL needs a TEACHER": not cfg.LOSS.DISTILL or bool(cfg.TEACHER),
        f"INPUT.HEIGHT and INPUT.WIDTH must be multiples of {stride}, at least 32": all(
            s >= 32 and s % stride == 0 for s in (cfg.INPUT.HEIGHT, cfg.INPUT.WIDTH)
        ),
        "TRAIN.EPOCHS and TRAIN.BATCH_SIZE must be at least 1": min(cfg.TRAIN.EPOCHS, cfg.TRAIN.BATCH_SIZE) >= 1,
        "AUGMENT.TRANSFORMS must be a list of mappings with a name": all(
            isinstance(t, dict) and "name" in t for t in cfg.AUGMENT.TRANSFORMS
        ),
    }
    if wrong := [text for text, fine in checks.items() if not fine]:
        raise HarnessError(f"{where}: {'; '.join(wrong)}")
