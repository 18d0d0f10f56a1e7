# SPDX-License-Identifier: Apache-2.0
"""The C++ core: exact preprocessing, inference through LiteRT, compositing and the threaded pipeline.

    import segcore

    segmenter = segcore.Segmenter.from_file("model.fp32.tflite")
    mask = segmenter.run(frame)                                   # (H, W, 3) uint8 BGR, without a copy
    alpha = segcore.AlphaResizer().run(mask)                      # (H, W) uint8
    drawn = segcore.Compositor().run(frame, alpha)

Names are those of the C++ headers. A frame is an array, BGR or BGRA, or a :class:`Frame` where its bytes lie
otherwise. What fails raises a subclass of :class:`Error`.
"""

from segcore._segcore import *  # noqa: F403
