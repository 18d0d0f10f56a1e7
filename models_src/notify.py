# SPDX-License-Identifier: Apache-2.0
"""Tells a Telegram chat how a training goes: at its start, every few epochs with masks, at its end, and if it fails.

The environment says where to: ``TELEGRAM_BOT_TOKEN`` and ``TELEGRAM_CHAT_ID``, and ``TELEGRAM_API`` for a Bot API
server of one's own. A thread sends the messages; what cannot be sent is dropped, and the training never waits. The Bot
API (https://core.telegram.org/bots/api) has the token in its addresses, so no address is ever logged.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import secrets
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from models_src import runs, sheet
from models_src.checkpoint import averaged
from models_src.datasets.sample import Sample
from models_src.interruption import Interrupted

if TYPE_CHECKING:
    from yacs.config import CfgNode

    from harness.contract import Contract

_log = logging.getLogger("models_src")
_API = "https://api.telegram.org"
_TIMEOUT = 15.0  # seconds that a request may take
_PATIENCE = 5.0  # seconds that a training which has ended waits for its last messages
_WAITING = 16  # messages that may wait; later ones are dropped
_CAPTION = 1024  # characters of a picture's text that the Bot API takes


class Telegram:
    """Sends messages to one chat."""

    def __init__(self, token: str, chat: str, api: str = _API) -> None:
        # What a file gave them besides would be refused as part of the address, and the refusal would show it.
        self._token, self._chat, self._api = token.strip(), chat.strip(), api.rstrip("/")
        self._waiting: queue.Queue[tuple[str, bytes | None] | None] = queue.Queue(_WAITING)
        self._silent = False
        self._thread = threading.Thread(target=self._run, name="telegram", daemon=True)
        self._thread.start()

    def send(self, text: str, picture: bytes | None = None) -> None:
        """Send a text, with a JPEG file if there is one; returns at once."""
        try:
            self._waiting.put_nowait((text, picture))
        except queue.Full:
            pass

    def close(self) -> None:
        """Wait a little for what is still to be sent."""
        try:
            self._waiting.put(None, timeout=_PATIENCE)
        except queue.Full:
            return
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._post(*message)
                self._silent = False
            except Exception as error:  # whatever it is, the training goes on
                if not self._silent:  # once, not every epoch
                    _log.warning("Telegram: a message could not be sent: %s", self._told(error))
                self._silent = True

    def _post(self, text: str, picture: bytes | None) -> None:
        if picture is None:
            method, kind = "sendMessage", "application/json"
            body = json.dumps({"chat_id": self._chat, "text": text}).encode()
        else:
            method, boundary = "sendPhoto", secrets.token_hex(16)
            kind = f"multipart/form-data; boundary={boundary}"
            body = _form(boundary, {"chat_id": self._chat, "caption": text[:_CAPTION]}, picture)
        request = urllib.request.Request(
            f"{self._api}/bot{self._token}/{method}", data=body, headers={"Content-Type": kind}
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:
            reply.read()

    def _told(self, error: Exception) -> str:
        """Why, in words that cannot hold the token: others than of the network quote the address that it is part of."""
        if not isinstance(error, OSError):
            return type(error).__name__
        reason = str(getattr(error, "reason", None) or error)
        if isinstance(error, urllib.error.HTTPError):
            try:
                reason = str(json.loads(error.read())["description"])
            except (OSError, HTTPException, ValueError, KeyError, TypeError):
                pass
        return reason.replace(self._token, "…")


def _form(boundary: str, fields: dict[str, str], picture: bytes) -> bytes:
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    head = b'Content-Disposition: form-data; name="photo"; filename="masks.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    parts.append(head + picture)
    line = f"--{boundary}\r\n".encode()
    return b"".join(line + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


class Told(keras.callbacks.Callback):
    """Sends what comes of every n-th epoch, with validation masks."""

    def __init__(self, telegram: Telegram, run: str, every: int, contract: Contract, shown: Sequence[Sample]) -> None:
        super().__init__()
        self.telegram, self.run, self.every, self.contract, self.shown = telegram, run, every, contract, shown

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            with averaged(self.model):
                picture = sheet.encoded(sheet.of_network(self.model, self.contract, self.shown))
            figures = "  ".join(f"{key} {float(value):.4f}" for key, value in (logs or {}).items())
            self.telegram.send(f"{self.run}: epoch {epoch + 1}  {figures}", picture)


class Announcer:
    """What :func:`announced` gives: tells of a training, or nobody where there is no one to tell.

    Args:
        telegram: who is told; None for nobody.
        name: of the training, before its run has one.
    """

    def __init__(self, telegram: Telegram | None, name: str) -> None:
        self.telegram, self.name = telegram, name
        self._run: Path | None = None
        self._every = 0

    def begin(self, run: Path, cfg: CfgNode) -> None:
        """Tell that a run begins, or goes on."""
        self._run, self._every = run, cfg.NOTIFY.EVERY_EPOCHS
        self.name = f"{cfg.EXPERIMENT} {run.name}"
        if self.telegram:
            self.telegram.send(f"{self.name}: training on {socket.gethostname()}, {cfg.TRAIN.EPOCHS} epochs")

    def end(self, how: str) -> None:
        """Tell that it ends, and what came of it."""
        if self.telegram:
            self.telegram.send(f"{self.name}: {how}{_best(self._run) if self._run else ''}")
            self.telegram.close()

    def callbacks(self, contract: Contract, shown: Sequence[Sample]) -> list[keras.callbacks.Callback]:
        """Of Keras; none where nobody is told."""
        if self.telegram is None or self._run is None or not self._every:
            return []
        return [Told(self.telegram, self._run.name, self._every, contract, shown)]


@contextmanager
def announced(name: str) -> Iterator[Announcer]:
    """A training whose start, end or failure is told, where the environment says to whom; a failure also where it comes
    before the start.

    Args:
        name: of the training, before its run has one.
    """
    token, chat = os.environ.get("TELEGRAM_BOT_TOKEN"), os.environ.get("TELEGRAM_CHAT_ID")
    told = Telegram(token, chat, os.environ.get("TELEGRAM_API") or _API) if token and chat else None
    announcer = Announcer(told, name)
    try:
        yield announcer
    except Interrupted as interruption:
        announcer.end(f"{interruption}; it can go on")
        raise
    except BaseException as error:
        announcer.end(f"failed: {type(error).__name__}: {error}")
        raise
    announcer.end("done")


def _best(run: Path) -> str:
    ious = [float(row["val_iou"]) for row in runs.epochs(run)]
    return f", best validation IoU {max(ious):.4f} of {len(ious)} epochs" if ious else ""
