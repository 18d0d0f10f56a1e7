# SPDX-License-Identifier: Apache-2.0
"""Real-time segmentation in Python with the raw Keras model: no C++ core and no TFLite."""
