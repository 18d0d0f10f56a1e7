# SPDX-License-Identifier: Apache-2.0
"""The live application: which picture is drawn with which mask, what a run leaves behind, and how it ends.

The network is a real one of a single layer, for which bright is person; what moves is a bright square.
"""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

pytest.importorskip("keras", reason="needs Keras: pip install 'mobile-unet-harness[keras]'")

from harness import bundle, live
from harness.errors import InvalidError
from rt_apps.rtpy.background import Background
from rt_apps.rtpy.cli import main
from rt_apps.rtpy.pipeline import Drawn, Pipeline
from rt_apps.rtpy.segmenter import Segmenter
from tests.rt_apps.live import GROUND, SQUARE, Injected, model, motion_suite, picture, place, video

GREEN = Background("colour", colour=(0, 120, 60))
BGR = (60, 120, 0)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("live") / "squares")


@pytest.fixture(scope="module")
def segmenter(network: Path) -> Segmenter:
    return Segmenter(network, 1)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return motion_suite(tmp_path_factory.mktemp("live") / "suite", 12)


def drawn_by(pipeline: Pipeline) -> list[Drawn]:
    """Everything a pipeline draws until it ends."""
    pictures = []
    while not pipeline.ended:
        taken = pipeline.take(0.1)
        pictures += [taken] if taken else []
    return pictures


def squares(drawn: np.ndarray) -> set[int]:
    """Which of the five places shows a square; all else is background."""
    shown = {n for n in range(5) if (drawn[place(n)] == SQUARE).all()}
    rest = drawn.copy()
    for n in shown:
        rest[place(n)] = BGR
    assert (rest == BGR).all()
    return shown


# --- pictures and masks --------------------------------------------------------------------------


def test_synced_draws_every_picture_with_its_own_mask(segmenter: Segmenter) -> None:
    source = Injected(iter([picture(n) for n in range(11)]))

    with Pipeline(source, segmenter, segmenter.contract, GREEN, paced=False, smooth=False) as pipeline:
        drawn = drawn_by(pipeline)

    assert [d.frame.sequence for d in drawn] == list(range(11))
    assert [squares(d.picture) for d in drawn] == [{n % 5} for n in range(11)]
    assert {d.mask_age for d in drawn} == {0}
    counters = pipeline.counters
    assert (counters.captured, counters.inferred, counters.drawn, counters.dropped) == (11, 11, 11, 0)
    assert source.closed


def test_a_stage_that_cannot_keep_up_drops_the_oldest_and_what_is_shown_keeps_its_own_mask(
    segmenter: Segmenter,
) -> None:
    all_captured = threading.Event()
    source = Injected(iter([picture(n) for n in range(20)]), before=lambda number: number == 20 and all_captured.set())

    def slow(image: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        all_captured.wait(10)
        return segmenter(image)

    with Pipeline(source, slow, segmenter.contract, GREEN, smooth=False) as pipeline:
        drawn = drawn_by(pipeline)

    sequences = [d.frame.sequence for d in drawn]
    assert sequences[-2:] == [18, 19]
    assert len(sequences) <= 3
    assert [squares(d.picture) for d in drawn] == [{n % 5} for n in sequences]
    assert sum(d.dropped for d in drawn) == pipeline.counters.dropped == 20 - len(drawn)


def test_low_latency_hides_everything_until_there_is_a_mask(segmenter: Segmenter) -> None:
    let_go = threading.Event()

    def gated(image: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        let_go.wait(10)
        return segmenter(image)

    source = Injected(itertools.repeat(picture(0)))
    with Pipeline(source, gated, segmenter.contract, GREEN, mode="low_latency", paced=False) as pipeline:
        hidden = [pipeline.take(10) for _ in range(5)]
        let_go.set()
        drawn = itertools.takewhile(lambda d: d is None or d.alpha is None, iter(lambda: pipeline.take(10), ...))
        behind = 5 + len(list(drawn))

    for each in hidden:
        assert each is not None
        assert each.alpha is None and each.mask_age is None
        assert (each.picture == BGR).all()
    assert pipeline.counters.hidden == behind
    assert pipeline.counters.drawn == behind + 1


def test_low_latency_draws_a_picture_with_the_newest_mask_that_is_not_of_a_later_one(segmenter: Segmenter) -> None:
    source = Injected(iter([picture(n) for n in range(200)]))
    pipeline = Pipeline(source, segmenter, segmenter.contract, GREEN, mode="low_latency", paced=False, smooth=False)

    with pipeline:
        drawn = drawn_by(pipeline)

    assert [d.frame.sequence for d in drawn] == list(range(200))
    assert all(d.mask_age is None or 0 <= d.mask_age <= 15 for d in drawn)
    for d in (d for d in drawn if d.alpha is not None):
        assert (d.alpha[place(d.frame.sequence - d.mask_age)] == 255).all()  # type: ignore[operator]


@pytest.mark.parametrize("modes", [("synced", "low_latency"), ("low_latency", "synced")])
def test_the_mode_may_change_and_pictures_stay_in_order(segmenter: Segmenter, modes: tuple[str, str]) -> None:
    source = Injected(iter([picture(n) for n in range(60)]))
    pipeline = Pipeline(source, segmenter, segmenter.contract, GREEN, mode=modes[0], paced=False, smooth=False)

    with pipeline:
        first = [pipeline.take(10) for _ in range(20)]
        pipeline.mode = modes[1]
        drawn = [d for d in first if d] + drawn_by(pipeline)

    sequences = [d.frame.sequence for d in drawn]
    assert sequences == sorted(set(sequences))
    assert sequences[-1] == 59
    assert len(drawn) + pipeline.counters.dropped == 60
    if modes[1] == "synced":
        assert squares(drawn[-1].picture) == {59 % 5}


def test_a_mask_that_is_no_number_hides_the_picture(segmenter: Segmenter) -> None:
    def broken(image: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        probability, stages = segmenter(image)
        probability[0, 0] = np.nan
        return probability, stages

    with Pipeline(Injected(iter([picture(0)])), broken, segmenter.contract, GREEN, paced=False) as pipeline:
        (only,) = drawn_by(pipeline)

    assert only.alpha is None
    assert (only.picture == BGR).all()
    assert pipeline.counters.hidden == 1


def test_a_picture_that_changes_size_gets_a_mask_of_its_size(segmenter: Segmenter) -> None:
    pictures = [picture(0), cv2.resize(picture(0), None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)]

    with Pipeline(Injected(iter(pictures)), segmenter, segmenter.contract, GREEN, paced=False) as pipeline:
        drawn = drawn_by(pipeline)

    assert [d.alpha.shape for d in drawn if d.alpha is not None] == [(64, 96), (128, 192)]


# --- errors and ends -----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["synced", "low_latency"])
def test_an_error_of_a_thread_reaches_the_caller(segmenter: Segmenter, mode: str) -> None:
    lost = Injected(iter([picture(0)]), error=InvalidError("unplugged"))

    def failing(image: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
        raise InvalidError("the network broke")

    endless = Injected(itertools.repeat(picture(0)))
    for source, network, message in [(lost, segmenter, "unplugged"), (endless, failing, "the network broke")]:
        with (
            pytest.raises(InvalidError, match=message),
            Pipeline(source, network, segmenter.contract, GREEN, mode=mode) as pipeline,
        ):
            drawn_by(pipeline)
        assert source.closed


def test_what_was_captured_before_the_source_broke_off_is_drawn(segmenter: Segmenter) -> None:
    source = Injected(iter([picture(0), picture(1)]), error=InvalidError("unplugged"))
    drawn = []

    with (
        pytest.raises(InvalidError, match="unplugged"),
        Pipeline(source, segmenter, segmenter.contract, GREEN, paced=False) as pipeline,
    ):
        while not pipeline.ended:
            drawn += [d for d in [pipeline.take(1)] if d]

    assert [d.frame.sequence for d in drawn] == [0, 1]


@pytest.mark.parametrize("mode", ["synced", "low_latency"])
@pytest.mark.parametrize("paced", [True, False])
def test_it_stops_at_any_moment_and_what_is_under_way_counts_as_dropped(
    segmenter: Segmenter, mode: str, paced: bool
) -> None:
    source = Injected(itertools.repeat(picture(0)))

    with Pipeline(source, segmenter, segmenter.contract, GREEN, mode=mode, paced=paced) as pipeline:
        while pipeline.counters.drawn < 3:
            pipeline.take(1)

    counters = pipeline.counters
    assert source.closed
    assert counters.captured == counters.drawn + counters.dropped
    assert pipeline.take(0) is None and pipeline.ended


# --- the command ---------------------------------------------------------------------------------


def rtpy(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.mark.parametrize("mode", ["synced", "low-latency"])
def test_a_motion_suite_is_played_and_leaves_a_bundle_that_agrees_with_itself(
    network: Path, suite: Path, tmp_path: Path, mode: str
) -> None:
    arguments = ["--suite", suite, "--model", network, "--mode", mode, "--headless", "--json"]

    done = rtpy(*arguments, "--fps-report", tmp_path)

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    (path,) = tmp_path.glob("*.run")
    opened = bundle.open(path)
    opened.verify()
    figures = live.summarise(opened)  # counters and rows agree, or it would raise
    assert told["bundle"] == str(path)
    assert (figures.captured, figures.presented, figures.dropped) == tuple(
        told[name] for name in ("captured", "presented", "dropped")
    )
    assert (figures.captured, figures.paced_fps, figures.source) == (12, 100, "suite:squares")
    rows = opened.samples()
    assert set(rows["phase"]) == {"paced"}
    assert set(rows["case"]) <= {f"{n:03}" for n in range(12)}
    assert rows["start_ns"].ge(rows["due_ns"]).all()
    assert rows["total_ns"].eq(rows["presented_ns"] - rows["start_ns"]).all()


def test_as_fast_as_it_can_be_drawn_nothing_is_dropped(network: Path, suite: Path, tmp_path: Path) -> None:
    done = rtpy("--suite", suite, "--model", network, "--headless", "--fps", 0, "--fps-report", tmp_path, "--json")

    told = json.loads(done.stdout)
    assert (told["presented"], told["dropped"]) == (12, 0)
    opened = bundle.open(told["bundle"])
    assert opened.facts["live"]["paced_fps"] is None
    assert list(opened.samples()["case"]) == [f"{n:03}" for n in range(12)]
    assert set(opened.samples()["phase"]) == {"steady"}


def test_a_video_is_recorded_and_its_last_picture_kept(network: Path, tmp_path: Path) -> None:
    source = video(tmp_path / "in.avi", 8)

    done = rtpy(
        "--video", source, "--model", network, "--headless", "--fps", 0, "--frames", 6, "--background", "colour",
        "--colour", "0,120,60", "--no-smooth", "--record", tmp_path / "out.avi", "--snapshot", tmp_path / "last.png",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert "presented 6 " in done.stdout
    last = cv2.imread(str(tmp_path / "last.png"))
    assert np.abs(last[place(5)].astype(int) - SQUARE).max() < 12  # the video is lossy
    assert (last[:8] == BGR).all()
    recorded = cv2.VideoCapture(str(tmp_path / "out.avi"))
    assert recorded.get(cv2.CAP_PROP_FRAME_COUNT) == 6
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.avi", "last.png", "out.avi"]


def test_pictures_are_turned_and_then_mirrored(network: Path, tmp_path: Path) -> None:
    image = np.full((64, 96, 3), GROUND, np.uint8)
    image[:16, :32] = SQUARE  # top left, wide
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "a.png"), image)
    from harness import suite_making

    suite_making.create(tmp_path / "frames", tmp_path / "suite")

    arguments = ["--suite", tmp_path / "suite", "--fps", 50, "--model", network, "--headless", "--background", "none"]
    done = rtpy(*arguments, "--rotation", 90, "--mirror", "--snapshot", tmp_path / "turned.png")

    assert done.exit_code == 0, done.output
    turned = cv2.imread(str(tmp_path / "turned.png"))
    np.testing.assert_array_equal(turned, np.transpose(image, (1, 0, 2)))  # clockwise, then flipped: transposed


def test_a_source_that_breaks_off_is_told_and_what_there_is_is_kept(network: Path, tmp_path: Path) -> None:
    whole = video(tmp_path / "in.avi", 40).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])

    done = rtpy("--video", tmp_path / "cut.avi", "--model", network, "--headless", "--fps-report", tmp_path / "out")

    assert done.exit_code == 4
    assert "cut.avi: damaged: it breaks off after" in done.stderr
    (path,) = (tmp_path / "out").glob("*.run")
    opened = bundle.open(path)
    opened.verify()
    assert opened.facts["status"] == "failed"
    assert "breaks off" in opened.facts["error"]["message"]
    assert 0 < len(opened.samples()) == opened.facts["live"]["presented"]


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ([], "name one source", 2),
        (["--camera", "0", "--suite", "x"], "name one source", 2),
        (["--camera", "63", "--headless"], "camera 63: there is none", 2),
        (["--video", "none.avi"], "does not exist", 2),
        (["--video", "text.txt", "--headless"], "not a video", 2),
        (["--suite", "portraits", "--headless"], "not a motion suite", 2),
        (["--suite", "squares", "--background", "image", "--headless"], "--image FILE", 2),
        (["--suite", "squares", "--image", "text.txt", "--headless"], "not a picture", 2),
        (["--suite", "squares", "--colour", "1,2,256", "--headless"], "no colour", 2),
        (["--suite", "squares", "--record", "a.mkv", "--headless"], "use .mp4 or .avi", 2),
        (["--suite", "squares", "--record", "no/a.avi", "--headless"], "there is no folder no", 2),
        (["--suite", "squares", "--fps-report", "text.txt/a", "--headless"], "cannot make the folder", 2),
        (["--suite", "squares", "--model", "none", "--headless"], "no such model", 2),
        (["--suite", "squares", "--model", "damaged.keras", "--headless"], "Keras cannot load it", 4),
    ],
)
def test_bad_input_is_one_message_and_a_status(
    network: Path, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str,
    status: int,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("no picture and no video")
    Path("squares").symlink_to(suite)
    whole = (network / "model.keras").read_bytes()
    Path("damaged.keras").write_bytes(whole.replace(b"config.json", b"gone!!.json"))
    Path("contract.toml").write_text((network / "contract.toml").read_text())
    named = "--model" in arguments

    done = rtpy(*arguments, *([] if named else ["--model", network]))

    assert done.exit_code == status, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS always has a display")
def test_without_a_display_it_says_so(network: Path, suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    done = rtpy("--suite", suite, "--model", network)

    assert done.exit_code == 4
    assert "use --headless" in done.stderr


# --- as a process --------------------------------------------------------------------------------

WATCH = """
import json, sys
from rt_apps.rtpy.cli import main
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def interrupted(network: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder and the end of a run that was stopped by Ctrl-C; its standard error lists what it had imported."""
    folder = tmp_path_factory.mktemp("interrupted")
    source = video(folder / "in.avi", 2000, rate=20)
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", WATCH, "--video", str(source), "--model", str(network), "--headless"),
            *("--record", str(folder / "out.avi"), "--fps-report", str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Where the tests run in the background, Ctrl-C is ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread only
    )
    deadline = time.monotonic() + 120
    while not list(folder.glob(".out.tmp*.avi")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)  # until pictures flow
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    return folder, subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_ctrl_c_ends_it_cleanly(interrupted: tuple[Path, subprocess.CompletedProcess]) -> None:
    folder, done = interrupted

    assert done.returncode == 130, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "presented" in done.stdout
    assert (folder / "out.avi").exists()
    (path,) = folder.glob("*.run")
    opened = bundle.open(path)
    opened.verify()
    assert live.summarise(opened).presented > 0


def test_it_runs_keras_alone_and_never_the_core_or_tflite(
    interrupted: tuple[Path, subprocess.CompletedProcess],
) -> None:
    loaded = {name.split(".")[0] for name in json.loads(interrupted[1].stderr.splitlines()[-1])}

    assert "keras" in loaded
    assert not loaded & {"segcore", "ai_edge_litert", "tflite_runtime", "litert"}
