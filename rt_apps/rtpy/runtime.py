# SPDX-License-Identifier: Apache-2.0
"""Runtime ``keras`` of the harness: the Keras engine behind the harness's interface."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from harness.contract import Contract
from harness.runtime import Availability, Facts, Options, Runtime, RuntimeFailure, installed_version


class KerasRuntime(Runtime):
    """Runs the Keras model itself; the reference of every comparison."""

    formats: ClassVar[tuple[str, ...]] = ("keras", "h5")
    default_variant: ClassVar[str] = "keras"

    @classmethod
    def availability(cls) -> Availability:
        version = installed_version("tensorflow")
        return Availability(version, "" if version else "pip install 'mobile-unet-harness[keras]'")

    def activate(self, path: Path, contract: Contract, options: Options) -> Facts:
        if options.delegate != "cpu":
            raise RuntimeFailure(f"the keras runtime runs on the cpu, not on {options.delegate!r}")
        from rt_apps.rtpy.engine import KerasEngine, ModelLoadError

        try:
            self._engine = KerasEngine(path, (contract.input_height, contract.input_width), options.threads)
        except ModelLoadError as error:
            raise RuntimeFailure(str(error)) from None
        self.contract = contract
        keras = installed_version("keras")
        return Facts(
            version=f"{installed_version('tensorflow')} ({keras})",
            actual={"delegate": "none", "threads": self._engine.threads},
            inputs=[
                {"name": "input", "shape": [1, contract.input_height, contract.input_width, 3], "dtype": "float32"}
            ],
            outputs=[{"name": "output", "shape": list(self._engine.output_shape), "dtype": "float32"}],
        )

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        return self._engine(tensor)

    def deactivate(self) -> None:
        self.__dict__.pop("_engine", None)
