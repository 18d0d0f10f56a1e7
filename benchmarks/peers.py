# SPDX-License-Identifier: Apache-2.0
"""The same work without the core: OpenCV, NumPy and LiteRT's interpreter, as a person would write it in Python.

:class:`Straightforward` is the pipeline of tutorials, written with care: a blur at a quarter of the size, one
interpolation in float32. :class:`Integer` is the fastest found: every output allocated once, 8-bit arithmetic from the
mask on. What was tried for it and lost (milliseconds on 1280×720, OpenCV 5.0, one core of an AMD EPYC):

- reduction, 2.05: width first 2.0 (within the noise), height first 2.2, four channels 2.4. Reducing by 2×2 first takes
  0.83 and plain bilinear 0.07, but a peer must feed the network what its contract says, within one level of 255:
  these are up to 21 and 85 levels off, and their masks agree with the right ones at an IoU of 0.988 and 0.943 only;
- normalisation, 0.02 by ``addWeighted``: NumPy in place 0.025, ``LUT`` to float 0.04, ``multiply`` alone 0.05;
- blur, 0.8 at an eighth of the size: a Gaussian at a quarter 2.7, ``stackBlur`` at a quarter 1.4;
- composite, 0.9: in strips of 40 to 360 rows the same within 2 %, only within the mask's bounding box 1.1, tiles with
  mixed pixels alone 1.6 (a soft mask has many), NumPy in 16 bits 1.5, differences in 16 bits 1.5, two differences in
  8 bits 1.2, ``blendLinear`` 2.3, float in place 2.3, mixed pixels gathered by index 3.6.

Neither weights its blur by the mask, so both let the person bleed into the background, which the core does not.
They know nothing of the core.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from harness.contract import Contract


class Network:
    """LiteRT's interpreter around one model, on one thread: the bare invocation, buffers set once."""

    def __init__(self, path: Path) -> None:
        self._interpreter = Interpreter(str(path), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self.invoke = self._interpreter.invoke

    def run(self, tensor: np.ndarray) -> np.ndarray:
        """Raw output ``(1, h, w, C)`` of an input tensor ``(1, h, w, 3)``, both float32."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


class Straightforward:
    """Frames ``(H, W, 3)`` uint8 BGR to composites with a blurred background; for contracts that stretch, RGB.

    Args:
        path: a ``.tflite`` file.
        contract: its contract; output ``probability``.
        sigma: standard deviation of the blur in pixels of the frame.
    """

    def __init__(self, path: Path, contract: Contract, sigma: float) -> None:
        self._network = Network(path)
        self._size = contract.input_width, contract.input_height
        self._scale, self._offset = np.array(contract.scale, np.float32), np.array(contract.offset, np.float32)
        self._foreground = contract.foreground
        self._sigma = sigma

    def preprocess(self, frame: np.ndarray) -> np.ndarray:
        """The input tensor ``(1, h, w, 3)`` float32."""
        small = cv2.resize(frame, self._size, interpolation=cv2.INTER_AREA)
        return (cv2.cvtColor(small, cv2.COLOR_BGR2RGB) * self._scale + self._offset)[None]

    def segment(self, frame: np.ndarray) -> np.ndarray:
        """The person's probability ``(h, w)`` float32."""
        return self._network.run(self.preprocess(frame))[0, ..., self._foreground]

    def enlarge(self, probability: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Alpha of the frame's size ``(H, W)``, float32 in [0, 1]."""
        return cv2.resize(probability, (frame.shape[1], frame.shape[0]), interpolation=cv2.INTER_LINEAR)

    def draw(self, frame: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """The frame before its own blur, uint8 BGR."""
        size = frame.shape[1], frame.shape[0]
        small = cv2.resize(frame, (size[0] // 4, size[1] // 4), interpolation=cv2.INTER_AREA)
        blurred = cv2.resize(cv2.GaussianBlur(small, (0, 0), self._sigma / 4), size, interpolation=cv2.INTER_LINEAR)
        mixed = np.subtract(frame, blurred, dtype=np.float32)
        mixed *= alpha[..., None]
        mixed += blurred
        return mixed.astype(np.uint8)

    def run(self, frame: np.ndarray) -> np.ndarray:
        """The whole path of a frame."""
        return self.draw(frame, self.enlarge(self.segment(frame), frame))


class Integer:
    """As :class:`Straightforward`, for frames of one size; results stay valid until the next call.

    Args:
        size: ``(H, W)`` of the frames, multiples of 8.
    """

    def __init__(self, path: Path, contract: Contract, sigma: float, size: tuple[int, int]) -> None:
        if len({*contract.scale}) > 1 or len({*contract.offset}) > 1:
            raise ValueError("a contract with one scale and one offset is expected")
        self._network = Network(path)
        self._contract = contract
        h, w = contract.input_height, contract.input_width
        self._height, self._width = size
        self._small, self._rgb = np.empty((2, h, w, 3), np.uint8)
        self._tensor = np.empty((1, h, w, 3), np.float32)
        self._mask = np.empty((h, w), np.uint8)
        self._alpha = np.empty(size, np.uint8)
        self._halves = [np.empty((size[0] >> n, size[1] >> n, 3), np.uint8) for n in (1, 2, 3)]
        self._background, self._weight, self._out = np.empty((3, *size, 3), np.uint8)
        # Three box filters come close to a Gaussian: the variances (n² - 1) / 12 add up.
        ideal = (4 * (sigma / 8) ** 2 + 1) ** 0.5
        lower = int(ideal) - (int(ideal) + 1) % 2
        wider = round((12 * (sigma / 8) ** 2 - 3 * (lower**2 - 1)) / (4 * lower + 4))
        self._boxes = [lower] * (3 - wider) + [lower + 2] * wider

    def preprocess(self, frame: np.ndarray) -> np.ndarray:
        """The input tensor ``(1, h, w, 3)`` float32."""
        cv2.resize(frame, self._small.shape[1::-1], dst=self._small, interpolation=cv2.INTER_AREA)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2RGB, dst=self._rgb)
        scale, offset = self._contract.scale[0], self._contract.offset[0]
        cv2.addWeighted(self._rgb, scale, self._rgb, 0.0, offset, dst=self._tensor[0], dtype=cv2.CV_32F)
        return self._tensor

    def segment(self, frame: np.ndarray) -> np.ndarray:
        """The person's probability ``(h, w)`` float32."""
        return self._network.run(self.preprocess(frame))[0, ..., self._contract.foreground]

    def enlarge(self, probability: np.ndarray) -> np.ndarray:
        """Alpha of the frame's size ``(H, W)``, uint8."""
        cv2.convertScaleAbs(probability, dst=self._mask, alpha=255)
        return cv2.resize(self._mask, (self._width, self._height), dst=self._alpha, interpolation=cv2.INTER_LINEAR)

    def draw(self, frame: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        """The frame before its own blur, uint8 BGR."""
        background, weight = self._blur(frame), self._weight
        cv2.cvtColor(alpha, cv2.COLOR_GRAY2BGR, dst=weight)
        cv2.multiply(frame, weight, dst=self._out, scale=1 / 255)
        cv2.bitwise_not(weight, dst=weight)
        cv2.multiply(background, weight, dst=background, scale=1 / 255)
        return cv2.add(self._out, background, dst=self._out)

    def run(self, frame: np.ndarray) -> np.ndarray:
        """The whole path of a frame."""
        return self.draw(frame, self.enlarge(self.segment(frame)))

    def _blur(self, frame: np.ndarray) -> np.ndarray:
        """A blurred frame: halved three times, which OpenCV does fast, three box filters, and back."""
        source = frame
        for half in self._halves:
            source = cv2.resize(source, half.shape[1::-1], dst=half, interpolation=cv2.INTER_AREA)
        for box in self._boxes:
            cv2.blur(source, (box, box), dst=source)
        return cv2.resize(source, (self._width, self._height), dst=self._background, interpolation=cv2.INTER_LINEAR)
