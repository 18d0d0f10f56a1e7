# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium for tests, driven through its DevTools protocol over a pipe: no driver, no port, no library.

Protocol: https://chromedevtools.github.io/devtools-protocol/; with ``--remote-debugging-pipe`` the browser reads
commands from file descriptor 3 and writes replies and events to 4, each a JSON text ended by a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


def find() -> str | None:
    """The browser's program, or None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One open tab.

    Attributes:
        requests: every address the page asked for.
        messages: what was written to the console, errors and policy violations included.
    """

    def __init__(self, browser: _Pipe, session: str) -> None:
        self._browser, self._session = browser, session
        self.requests: list[str] = []
        self.messages: list[str] = []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, width: int = 1280, dark: bool = False) -> None:
        """Load a file in a window of this width, in the light or the dark scheme."""
        self.resize(width)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.requests.clear()
        self.messages.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._browser.wait_for("Page.loadEventFired", self._note)

    def resize(self, width: int, height: int = 900) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        reply = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(json.dumps(reply["exceptionDetails"])[:500])
        return reply["result"].get("value")

    def press_tab(self) -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)

    def screenshot(self, whole: bool = False) -> bytes:
        """PNG of the window, or of the whole page."""
        options: dict[str, Any] = {"captureBeyondViewport": whole}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **options)["data"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._note, self._session, **parameters)

    def _note(self, event: dict[str, Any]) -> None:
        details = event["params"]
        if event["method"] == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif event["method"] == "Log.entryAdded":
            self.messages.append(details["entry"]["text"])
        elif event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.messages.append(json.dumps(details))


class _Pipe:
    def __init__(self, commands: int, replies: int) -> None:
        self._commands, self._replies = os.fdopen(commands, "wb", 0), os.fdopen(replies, "rb")
        self._number = 0
        self._early: list[dict[str, Any]] = []
        self._rest = b""

    def call(self, method: str, note: Any = lambda event: None, session: str = "", **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        self._commands.write(json.dumps(command).encode() + b"\0")
        while True:
            message = self._read()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._early.append(message)
            note(message)

    def wait_for(self, method: str, note: Any) -> None:
        seen = any(message.get("method") == method for message in self._early)
        self._early.clear()
        while not seen:
            message = self._read()
            note(message)
            seen = message.get("method") == method

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._replies.fileno(), 1 << 16)
            if not chunk:
                raise RuntimeError("the browser has closed its pipe")
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def close(self) -> None:
        self._commands.close()
        self._replies.close()


def axe_violations(page: Page) -> list[Any]:
    """What axe finds of the page that is open: rule, help, and the first elements."""
    pytest.importorskip("axe_core_python", reason="axe-core-python is not installed")
    page.evaluate(resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8") + ";null")
    return page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))]))"
    )


@contextmanager
def start(program: str, profile: Path) -> Iterator[Page]:
    """Start the browser with an empty profile and hand out its one tab."""
    to_browser, ours = os.pipe(), os.pipe()
    options = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run"]
    # Containers run as root and have a small /dev/shm; neither matters to a page of our own.
    options += ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"]
    # The browser expects its pipe as descriptors 3 and 4; the shell moves them there.
    script = f'exec 3<&{to_browser[0]} 4>&{ours[1]}; exec "$@"'
    process = subprocess.Popen(
        ["/bin/bash", "-c", script, "bash", program, *options, "about:blank"],
        pass_fds=(to_browser[0], ours[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(ours[1])
    pipe = _Pipe(to_browser[1], ours[0])
    try:
        target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
        session = pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        yield Page(pipe, session)
        pipe.call("Browser.close")
    finally:
        pipe.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
