# SPDX-License-Identifier: Apache-2.0
"""``python -m rt_apps.rtpy``: the same as the command ``rtpy``."""

from rt_apps.rtpy.cli import main

if __name__ == "__main__":
    main(prog_name="rtpy")
