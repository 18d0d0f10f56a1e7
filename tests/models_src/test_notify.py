# SPDX-License-Identifier: Apache-2.0
"""Messages to Telegram, against a Bot API server on this machine that keeps what it is told."""

from __future__ import annotations

import email
import email.policy
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models_src import config
from tests.models_src.conftest import SMOKE, settings, untraced

TOKEN, CHAT = "123456:a-secret-token", "4242"


class BotApi:
    """Answers as the Bot API does (https://core.telegram.org/bots/api#making-requests): ``{"ok": …}``."""

    def __init__(self, refuse: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.messages.append({"path": self.path, **_fields(self.headers["Content-Type"], body)})
                reply = {"ok": False, "error_code": 401, "description": "Unauthorized"} if refuse else {"ok": True}
                data = json.dumps(reply).encode()
                self.send_response(401 if refuse else 200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _fields(kind: str, body: bytes) -> dict[str, Any]:
    if kind == "application/json":
        return dict(json.loads(body))
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP)
    parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
    assert parts["photo"].get_filename() == "masks.jpg"
    return {name: part.get_content() if name == "photo" else part.get_content().strip() for name, part in parts.items()}


@pytest.fixture
def bot_api(monkeypatch: pytest.MonkeyPatch) -> Iterator[BotApi]:
    server = BotApi()
    environment(monkeypatch, server.url)
    yield server
    server.close()


def environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in (("TELEGRAM_BOT_TOKEN", TOKEN), ("TELEGRAM_CHAT_ID", CHAT), ("TELEGRAM_API", url)):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.system  # half a minute
def test_start_epochs_with_masks_and_end_are_told(
    bot_api: BotApi, folders: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from models_src import train

    with untraced(), caplog.at_level(logging.DEBUG):
        run = train.start(config.load(SMOKE, settings(folders, tmp_path, NOTIFY__EVERY_EPOCHS=2)))

    start, epoch, end = bot_api.messages
    assert start["path"] == end["path"] == f"/bot{TOKEN}/sendMessage"
    assert {message["chat_id"] for message in bot_api.messages} == {CHAT}
    assert f"smoke {run.name}: training on {socket.gethostname()}, 2 epochs" == start["text"]
    assert "epoch 2" in epoch["caption"] and "val_iou" in epoch["caption"]
    picture = cv2.imdecode(np.frombuffer(epoch["photo"], np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (2 * 192, 4 * 192, 3) and picture.std() > 10
    assert "done, best validation IoU" in end["text"]
    assert TOKEN not in caplog.text + (run / "train.log").read_text()


def test_a_failure_is_told(bot_api: BotApi, folders: tuple[Path, Path], tmp_path: Path) -> None:
    from harness.errors import HarnessError
    from models_src import train

    with untraced(), pytest.raises(HarnessError, match="not finite"):
        train.start(config.load(SMOKE, settings(folders, tmp_path, TRAIN__LEARNING_RATE=1e30)))

    assert "failed: HarnessError" in bot_api.messages[-1]["text"]


def test_a_failure_before_the_training_begins_is_told_too(
    bot_api: BotApi, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    from harness.errors import HarnessError
    from models_src import train

    with pytest.raises(HarnessError):
        train.start(config.load(SMOKE, settings(folders, tmp_path, DATA__VAL=tmp_path / "nowhere")))
    with pytest.raises(HarnessError):
        train.resume(tmp_path / "slurm-7")

    first, second = [message["text"] for message in bot_api.messages]
    assert first.startswith("smoke: failed: HarnessError") and "nowhere" in first
    assert second.startswith("slurm-7: failed: HarnessError") and "not a run folder" in second


@pytest.mark.parametrize("network", ["refused", "dead", "silent"])
def test_a_bad_network_neither_delays_nor_ends_a_training_and_the_token_is_never_logged(
    network: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bot that is not known, a port where nobody listens, and a server that never answers."""
    from models_src import notify

    monkeypatch.setattr(notify, "_PATIENCE", 0.5)
    monkeypatch.setattr(notify, "_TIMEOUT", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if network == "silent":
            listening.listen()
        server = BotApi(refuse=True) if network == "refused" else None
        environment(monkeypatch, server.url if server else f"http://127.0.0.1:{listening.getsockname()[1]}")
        began = time.monotonic()
        with caplog.at_level(logging.DEBUG), notify.announced("smoke") as announcer:
            assert announcer.telegram is not None
            for number in range(100):
                announcer.telegram.send(f"epoch {number}")
            assert time.monotonic() - began < 0.5
        assert time.monotonic() - began < 5
        if server:
            server.close()

    assert "Telegram: a message could not be sent" in caplog.text
    assert network != "refused" or "Unauthorized" in caplog.text
    assert TOKEN not in caplog.text
    assert caplog.text.count("could not be sent") == 1


@pytest.mark.parametrize("around", ["{}\r", "{}\n", "{} with a\rbreak"])
def test_a_token_with_more_in_it_is_not_logged_either(
    around: str, bot_api: BotApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As files with other ends of lines give it: without these it works; an address that is refused is not shown."""
    from models_src import notify

    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", around.format(TOKEN))
    with caplog.at_level(logging.DEBUG), notify.announced("smoke"):
        pass

    assert TOKEN not in caplog.text
    assert bool(bot_api.messages) == ("break" not in around)
    assert ("InvalidURL" in caplog.text) == ("break" in around)


def test_without_a_token_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from models_src import notify

    monkeypatch.delenv("TELEGRAM_BOT_TOKEN", raising=False)
    with notify.announced("smoke") as announcer:
        assert announcer.telegram is None
        announcer.begin(Path("run"), config.load(SMOKE, ["NOTIFY.EVERY_EPOCHS", "1"]))
        assert announcer.callbacks(config.contract(config.load(SMOKE), "logit"), []) == []
