# SPDX-License-Identifier: Apache-2.0
"""What commands share: TensorFlow without its noise, log and progress on the terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import HarnessError

Report = Callable[[str, str, float, float], None] | None
"""Told label, activity, done and total; None where nobody is."""


def import_tensorflow() -> None:
    """Import TensorFlow without the lines on CPU features and absent GPUs that it writes before it can be told not to.

    Raises:
        HarnessError: it is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    except ModuleNotFoundError as error:
        raise HarnessError(f"{error}; install it with: pip install 'mobile-unet-harness[train]'") from None
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def show_log() -> None:
    """Send the training's log to standard error as well; within :func:`live_progress` it goes above the bar."""
    log = logging.getLogger("models_src")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.handlers = [handler]


@contextmanager
def live_progress() -> Iterator[Report]:
    """A function to report progress to, where standard error is a terminal; None elsewhere, where the log will do."""
    if not sys.stderr.isatty():
        yield None
        return
    from harness.cli.progress import progress

    with progress() as report:
        yield report
