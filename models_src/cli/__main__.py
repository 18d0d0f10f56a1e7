# SPDX-License-Identifier: Apache-2.0
"""``python -m models_src.cli``: the command where it is not installed."""

from models_src.cli import main

main()
