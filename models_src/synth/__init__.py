# SPDX-License-Identifier: Apache-2.0
"""Synthetic scenes: people cut out of one set of pictures, before other backgrounds, as a camera would see them.

``people`` cuts out, ``backgrounds`` finds or draws what is behind, ``scene`` puts them together with ``props``,
``camera`` spoils the picture, ``dataset`` writes a set. Every scene is a function of its seed.
"""
