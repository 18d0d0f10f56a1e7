# SPDX-License-Identifier: Apache-2.0
"""Runtimes that live in this package; each registers itself in ``pyproject.toml``."""
