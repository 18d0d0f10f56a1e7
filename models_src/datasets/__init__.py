# SPDX-License-Identifier: Apache-2.0
"""Pictures with masks, read from the formats they come in.

:func:`models_src.datasets.formats.read` takes any of them and gives :class:`~models_src.datasets.sample.Sample`\\ s;
:mod:`~models_src.datasets.manifest` mixes several. Everything that is wrong with a set is told at once.
"""
