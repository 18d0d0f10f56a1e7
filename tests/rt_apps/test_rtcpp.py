# SPDX-License-Identifier: Apache-2.0
"""`rtcpp`: what it draws, what it leaves behind and how it ends, without a window and in a real one.

The command is looked for in ``RTCPP`` and where ``make rtcpp`` builds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from harness import bundle, live, resources, suite, suite_making
from harness import contract as contracts
from harness.runtime import Options
from harness.runtimes.tflite import TFLiteRuntime
from rt_apps.rtpy.background import Background, compose
from tests.harness.commands import run as run_harness
from tests.rt_apps.live import motion_suite, video

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
MODEL = resources.default_model() / "model.fp32.tflite"
COMMAND = Path(os.environ.get("RTCPP", ROOT / "core/build/rtcpp/rtcpp/rtcpp"))


@pytest.fixture(autouse=True)
def _built() -> None:
    if not COMMAND.exists():
        pytest.skip("rtcpp is not built: make rtcpp")


def environment(**more: str) -> dict[str, str]:
    """The environment in which LiteRT is found wherever rtcpp lies, without what Python's OpenCV tells its Qt."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QT_")}
    return {"VIRTUAL_ENV": sys.prefix, **kept, **more}


def rtcpp(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    words = [str(COMMAND), *map(str, arguments)]
    ended = subprocess.run(words, env=environment(**more), capture_output=True, text=True, timeout=120, check=False)
    # LiteRT may write a line of its own.
    lines = [line for line in ended.stderr.splitlines(True) if not line.startswith("INFO: Created TensorFlow")]
    return subprocess.CompletedProcess(words, ended.returncode, ended.stdout, "".join(lines))


def play(*arguments: str | Path, **more: str) -> dict[str, Any]:
    """A run without a window that ends well; its facts."""
    ended = rtcpp(*arguments, "--model", MODEL, "--headless", "--json", **more)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed motion suite of twelve frames at 100 frames a second."""
    folder = tmp_path_factory.mktemp("moving")
    return suite_making.pack(suite.load(motion_suite(folder / "suite", 12)), folder / "packed").root


@pytest.fixture(scope="module")
def portrait(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A packed suite of one portrait."""
    case = suite.find("portraits").cases[0]
    entry = suite_making.Entry(case.id, case.read_image(), case.read_mask())
    return suite_making.write(tmp_path_factory.mktemp("portrait") / "packed", "one", [entry], packed=True).root


def snapshot_of(root: Path, out: Path, *arguments: str | Path) -> np.ndarray:
    """What is drawn of the last frame, BGR."""
    play("--suite", root, "--fps", "0", "--snapshot", out, *arguments)
    return cv2.imread(str(out))


def frame_of(root: Path) -> np.ndarray:
    return suite.load(root).cases[0].read_image()[..., ::-1]


# --- pictures ------------------------------------------------------------------------------------


def test_with_no_background_a_frame_is_shown_as_it_is(portrait: Path, tmp_path: Path) -> None:
    shown = snapshot_of(portrait, tmp_path / "a.png", "--background", "none")

    assert np.array_equal(shown, frame_of(portrait))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_frame_is_turned_clockwise_and_then_mirrored(
    portrait: Path, tmp_path: Path, rotation: int, mirror: bool
) -> None:
    more = ["--mirror"] if mirror else []

    shown = snapshot_of(portrait, tmp_path / "a.png", "--background", "none", "--rotation", str(rotation), *more)

    turned = np.rot90(frame_of(portrait), -rotation // 90)
    assert np.array_equal(shown, turned[:, ::-1] if mirror else turned)


def test_a_colour_is_drawn_behind_the_person_as_rtpy_draws_it(portrait: Path, tmp_path: Path) -> None:
    contract = contracts.read(MODEL.parent / "contract.toml")
    runtime = TFLiteRuntime()
    runtime.activate(MODEL, contract, Options())
    frame = frame_of(portrait)
    probability = runtime.infer_image(frame[..., ::-1]).probability
    alpha = contracts.frame_alpha(contract, probability, (frame.shape[0], frame.shape[1]))

    shown = snapshot_of(portrait, tmp_path / "a.png", "--background", "colour", "--colour", "10,200,30", "--no-smooth")

    assert 0.1 < (alpha > 127).mean() < 0.9
    assert np.array_equal(shown, compose(frame, alpha, Background("colour", colour=(10, 200, 30))))


def test_a_picture_is_drawn_behind_the_person(portrait: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((10, 10, 3), (0, 0, 255), np.uint8))

    image = snapshot_of(portrait, tmp_path / "a.png", "--background", "image", "--image", tmp_path / "red.png")
    colour = snapshot_of(portrait, tmp_path / "b.png", "--background", "colour", "--colour", "255,0,0")

    assert np.array_equal(image, colour)


def test_a_recording_holds_every_picture(tmp_path: Path) -> None:
    clip = video(tmp_path / "squares.avi", 12, rate=50)
    for name in ("out.avi", "out.mp4"):
        facts = play("--video", clip, "--fps", "0", "--record", tmp_path / name, "--background", "colour")

        capture = cv2.VideoCapture(str(tmp_path / name))
        frames = 0
        while capture.read()[0]:
            frames += 1
        assert frames == facts["presented"] == 12
        assert capture.get(cv2.CAP_PROP_FPS) == 50
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.avi", "out.mp4", "squares.avi"]


# --- bundles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["synced", "low-latency"])
def test_a_motion_suite_is_played_like_a_camera_and_leaves_a_live_bundle(
    moving: Path, tmp_path: Path, mode: str
) -> None:
    facts = play("--suite", moving, "--mode", mode, "--fps-report", tmp_path)

    found = bundle.open(facts["bundle"])
    found.verify()
    assert found.complete
    assert (found.facts["kind"], found.label) == ("live", f"rtcpp:{facts['mode']}")
    counts = found.facts["live"]
    assert (counts["source"], counts["paced_fps"], counts["captured"]) == ("suite:squares", 100, 12)
    assert {key: counts[key] for key in ("inferred", "presented", "dropped", "hidden")} == {
        key: facts[key] for key in ("inferred", "presented", "dropped", "hidden")
    }
    assert found.facts["suite"]["sha256"] == suite.load(moving).sha256
    samples = found.samples()
    assert (samples["phase"] == "paced").all()
    assert set(np.diff(samples["due_ns"]) % 10_000_000) == {0}
    assert (samples["start_ns"] >= samples["due_ns"]).all()
    assert (samples["total_ns"] == samples["presented_ns"] - samples["start_ns"]).all()
    numbers = samples["case"].astype(int)
    assert (np.diff(numbers, prepend=-1) - 1 == samples["dropped"]).all()
    if mode == "synced":
        assert (samples["mask_age"] == 0).all()
    live.summarise(found)  # which refuses counters and rows that contradict each other


def test_unpaced_drops_nothing(moving: Path, tmp_path: Path) -> None:
    facts = play("--suite", moving, "--fps", "0", "--fps-report", tmp_path)

    found = bundle.open(facts["bundle"])
    assert (facts["captured"], facts["presented"], facts["dropped"]) == (12, 12, 0)
    assert found.facts["live"]["paced_fps"] is None
    assert found.samples()["case"].tolist() == [f"{n:03}" for n in range(12)]
    assert (found.samples()["phase"] == "steady").all()


def test_two_live_bundles_can_be_compared(moving: Path, tmp_path: Path) -> None:
    paths = [
        play("--suite", moving, "--mode", mode, "--fps-report", tmp_path)["bundle"]
        for mode in ("synced", "low-latency")
    ]

    ended = run_harness("compare", *paths, "--out", tmp_path / "report")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "rtcpp:low_latency" in ended.stdout


def test_frames_ends_a_run(moving: Path) -> None:
    assert play("--suite", moving, "--fps", "0", "--frames", "5")["captured"] == 5


# --- ends ----------------------------------------------------------------------------------------


def test_a_video_that_breaks_off_is_told_and_what_there_was_is_kept(tmp_path: Path) -> None:
    clip = video(tmp_path / "squares.avi", 40)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])

    ended = rtcpp(
        *("--video", clip, "--model", MODEL, "--headless", "--fps", "0"),
        *("--fps-report", tmp_path, "--snapshot", tmp_path / "last.png"),
    )

    if ended.returncode == 2:  # a decoder that needs the index at the file's end refuses it at once
        assert "damaged" in ended.stderr
        return
    assert ended.returncode == 4
    assert "breaks off" in ended.stderr
    [path] = tmp_path.glob("*.run")
    assert bundle.open(path).facts["status"] == "failed"
    assert (tmp_path / "last.png").exists()


def test_ctrl_c_ends_a_run_and_completes_its_bundle(moving: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [COMMAND, "--suite", moving, "--fps", "1", "--model", MODEL, "--headless", "--fps-report", tmp_path],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, Ctrl-C is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread only
    )
    wait_until(lambda: list(tmp_path.glob("*.run/samples.csv")), "no bundle was begun")
    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130, process.stderr.read()  # type: ignore[union-attr]
    [path] = tmp_path.glob("*.run")
    bundle.open(path).verify()
    assert bundle.open(path).complete


def wait_until(condition: Callable[[], object], problem: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, problem
        time.sleep(0.02)


def assert_refused(ended: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert ended.returncode == status, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.startswith("rtcpp: ")
    for word in words:
        assert word in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "99"], ["camera 99", "--video or --suite"]),
        (["--video", "none.mp4"], ["none.mp4: cannot read"]),
        (["--video", str(MODEL)], ["not a video"]),
        (["--suite", "none"], ["none", "harness suite pack"]),
        ([], ["name one source"]),
        (["--camera", "0", "--video", "none.mp4"], ["name one source"]),
        (["--camera", "0", "--background", "image"], ["--image FILE"]),
        (["--camera", "0", "--image", str(MODEL)], ["not a picture"]),
        (["--camera", "0", "--colour", "1,2"], ["--colour is 1,2"]),
        (["--camera", "0", "--colour", "1,2,256"], ["--colour is 1,2,256"]),
        (["--camera", "0", "--rotation", "45"], ["0, 90, 180, 270"]),
        (["--camera", "0", "--blur", "0"], ["from 1 to 200"]),
    ],
)
def test_what_cannot_be_opened_is_named(arguments: list[str], words: list[str]) -> None:
    assert_refused(rtcpp(*arguments, "--model", MODEL, "--headless"), 2, *words)


def test_a_suite_without_a_rate_needs_one(portrait: Path) -> None:
    assert_refused(rtcpp("--suite", portrait, "--model", MODEL, "--headless"), 2, "not a motion suite", "--fps")


def test_a_missing_model_is_refused(moving: Path) -> None:
    assert_refused(rtcpp("--suite", moving, "--model", "none.tflite", "--headless"), 2, "none.tflite: cannot read")


def test_a_damaged_model_breaks_off(moving: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.tflite").write_bytes(MODEL.read_bytes()[:100_000])

    assert_refused(rtcpp("--suite", moving, "--model", tmp_path / "cut.tflite", "--headless"), 4, "cut.tflite")


def test_a_missing_library_breaks_off(moving: Path, tmp_path: Path) -> None:
    arguments = ("--suite", moving, "--model", MODEL, "--headless", "--litert", tmp_path / "libNone.so")

    assert_refused(rtcpp(*arguments), 4, "libNone.so")


def test_a_folder_that_cannot_be_made_is_refused(moving: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    arguments = ("--suite", moving, "--model", MODEL, "--headless", "--fps-report", tmp_path / "file" / "out")

    assert_refused(rtcpp(*arguments), 2, "cannot make the folder")


def test_without_a_display_it_says_what_to_do(moving: Path) -> None:
    ended = rtcpp("--suite", moving, "--model", MODEL, DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="xcb")

    assert_refused(ended, 4, "--headless")
    assert ended.stderr.count("\n") == 1


# --- a real window -------------------------------------------------------------------------------


class Screen:
    """An X server that shows nothing to anybody, and rtcpp in a window on it."""

    def __init__(self, source: Path, folder: Path, *arguments: str) -> None:
        self.folder = folder
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-noreset", "-screen", "0", "800x600x24"],
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as told:
            self._environment = environment(DISPLAY=f":{told.readline().strip()}")
        self.process = subprocess.Popen(
            [COMMAND, "--suite", source, "--model", MODEL, "--json", *arguments],
            env=self._environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._window = ""

    def wait_for_window(self) -> None:
        wait_until(self._find, "no window came up")
        self._window = self._find()

    def _find(self) -> str:
        assert self.process.poll() is None, self.process.stderr.read()  # type: ignore[union-attr]
        return self._tool("xdotool", "search", "--onlyvisible", "--name", "^rtcpp$").split("\n")[0]

    def _tool(self, *words: str) -> str:
        done = subprocess.run(words, env=self._environment, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout.strip()

    def press(self, *keys: str) -> None:
        self._tool("xdotool", "windowfocus", "--sync", self._window)
        self._tool("xdotool", "key", "--window", self._window, *keys)

    def picture(self) -> np.ndarray:
        """What the window shows, BGR."""
        path = self.folder / "window.png"
        self._tool("import", "-window", self._window, str(path))
        return cv2.imread(str(path))

    def wait_for(self, looks: Callable[[np.ndarray], bool], problem: str) -> None:
        wait_until(lambda: looks(self.picture()), problem)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Exit status and facts of rtcpp once it has ended."""
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, json.loads(out) if out else {"error": err}

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self._server.terminate()
        self._server.wait()


@contextlib.contextmanager
def shown(source: Path, folder: Path) -> Iterator[Screen]:
    """A suite played in a window, with no background drawn."""
    for tool in ("Xvfb", "xdotool", "import"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is missing: apt-get install xvfb xdotool imagemagick")
    with contextlib.closing(Screen(source, folder, "--fps", "30", "--background", "none")) as screen:
        screen.wait_for_window()
        yield screen


GREEN = (60, 120, 0)
LOWEST = slice(-8, None)
"""Rows that the text never covers."""


def test_keys_change_what_the_window_shows(portrait: Path, tmp_path: Path) -> None:
    with shown(portrait, tmp_path) as screen:
        press_every_key(screen, frame_of(portrait))
        screen.press("q")

        status, facts = screen.end()
    assert status == 0
    assert facts["captured"] == facts["presented"] + facts["dropped"]


def press_every_key(screen: Screen, frame: np.ndarray) -> None:
    """Each key has its effect. One at a time: OpenCV loses all but the last of those that come at once."""

    def differs_below(shown: np.ndarray) -> bool:
        return not np.array_equal(shown[100:], frame[100:])

    screen.wait_for(lambda shown: not differs_below(shown), "the frame as it is")
    assert not np.array_equal(screen.picture()[:40], frame[:40]), "the figures stand above"

    screen.press("c")
    screen.wait_for(lambda shown: (shown == GREEN).all(axis=2).mean() > 0.1, "a colour after c")
    screen.press("b")
    screen.wait_for(lambda shown: differs_below(shown) and (shown == GREEN).all(axis=2).mean() < 0.01, "blur after b")
    weak = screen.picture()
    screen.press(*["plus"] * 8)
    screen.wait_for(lambda shown: not np.array_equal(shown[LOWEST], weak[LOWEST]), "another blur after +")
    screen.press("n")
    screen.wait_for(lambda shown: not differs_below(shown), "the frame again after n")
    screen.press("m")
    screen.wait_for(lambda shown: (np.ptp(shown[100:], axis=2) == 0).all(), "the mask in grey after m")
    screen.press("m")
    screen.wait_for(lambda shown: not differs_below(shown), "the frame again after m")
    figures = screen.picture()[60:90]
    screen.press("h")
    screen.wait_for(lambda shown: (shown[60:90] < figures).any(), "a list of keys below the figures after h")
    screen.press("h")
    screen.wait_for(lambda shown: np.array_equal(shown, frame), "no text after h")
    screen.press("l")
    screen.wait_for(lambda shown: np.array_equal(shown, frame), "the same picture in the other mode")


def test_s_leaves_a_snapshot_without_the_text(portrait: Path, tmp_path: Path) -> None:
    with shown(portrait, tmp_path) as screen:
        screen.press("s")
        wait_until(lambda: list(tmp_path.glob("rtcpp-*.png")), "no snapshot")
        screen.press("q")
        assert screen.end()[0] == 0

    [path] = tmp_path.glob("rtcpp-*.png")
    assert np.array_equal(cv2.imread(str(path)), frame_of(portrait))


def test_space_holds_the_picture_until_space(moving: Path, tmp_path: Path) -> None:
    with shown(moving, tmp_path) as screen:

        def still() -> bool:
            first, *others = (screen.picture() for _ in range(6))
            return all(np.array_equal(first, other) for other in others)

        assert not still()
        screen.press("space")
        wait_until(still, "a picture that stands still after space")
        screen.press("c")
        assert still(), "other keys wait"
        screen.press("space")
        wait_until(lambda: not still(), "it goes on after space")
        screen.press("Escape")
        assert screen.end()[0] == 0
