# SPDX-License-Identifier: Apache-2.0
"""The Python module `segcore`: arrays without copies, errors as exceptions, stubs that are true."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from harness import resources

segcore = pytest.importorskip("segcore", reason="the core is not built: it needs a C++17 compiler")

MODEL = str(resources.default_model() / "model.int8.tflite")


@pytest.fixture(scope="module")
def segmenter() -> segcore.Segmenter:
    return segcore.Segmenter.from_file(MODEL)


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)


# --- arrays --------------------------------------------------------------------------------------


def test_a_frame_reads_the_arrays_own_memory(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    view = segcore.Frame(frame, segcore.PixelFormat.BGR)
    before = segmenter.run(view).alpha.copy()

    frame[:] = frame[::-1].copy()

    assert not np.array_equal(segmenter.run(view).alpha, before)


def test_rows_may_lie_at_any_stride_and_upside_down(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    wide = np.zeros((90, 200, 3), np.uint8)
    wide[:, 40:160] = frame
    expected = segmenter.run(frame).alpha.copy()

    assert np.array_equal(segmenter.run(wide[:, 40:160]).alpha, expected)
    assert np.array_equal(segmenter.run(frame[::-1].copy()[::-1]).alpha, expected)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[:, ::2],
        lambda frame: frame[..., ::-1],
        lambda frame: frame.astype(np.float32),
        lambda frame: frame[..., 0],
        lambda frame: frame[:0],
        lambda frame: frame.tolist(),
        lambda frame: None,
    ],
    ids=["every second pixel", "reversed channels", "float", "grey", "empty", "list", "None"],
)
def test_what_is_no_frame_is_refused_and_named(segmenter: segcore.Segmenter, frame: np.ndarray, spoil: object) -> None:
    with pytest.raises(segcore.InvalidArgumentError, match="frame"):
        segmenter.run(spoil(frame))  # type: ignore[operator]
    segmenter.run(frame)


def test_a_mask_given_as_out_is_written_and_its_arrays_follow(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    mask = segmenter.run(frame)
    alpha = mask.alpha

    assert segmenter.run(frame // 2, out=mask) is mask
    assert np.shares_memory(alpha, mask.alpha)
    assert not alpha.flags.writeable


def test_arrays_outlive_the_mask_they_are_of(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    expected = segmenter.run(frame).probability.copy()
    kept = segmenter.run(frame).probability

    segmenter.run(frame // 2)

    assert np.array_equal(kept, expected)


def test_outputs_are_drawn_into_the_array_that_is_given(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    mask = segmenter.run(frame)
    alpha = np.empty(frame.shape[:2], np.uint8)
    out = np.empty_like(frame)

    assert segcore.AlphaResizer().run(mask, out=alpha) is alpha
    assert segcore.Compositor().run(frame, alpha, out=out) is out


def test_an_output_of_another_size_or_read_only_is_refused(segmenter: segcore.Segmenter, frame: np.ndarray) -> None:
    mask = segmenter.run(frame)
    fixed = np.empty(frame.shape[:2], np.uint8)
    fixed.flags.writeable = False

    for out in (np.empty((10, 10), np.uint8), np.empty((10, 10, 3), np.uint8), fixed):
        with pytest.raises(segcore.InvalidArgumentError):
            segcore.AlphaResizer().run(mask, out=out)


def test_nv12_planes_must_fit_each_other() -> None:
    luma = np.zeros((91, 121), np.uint8)

    segcore.Frame.nv12(luma, np.zeros((46, 61, 2), np.uint8))
    with pytest.raises(segcore.InvalidArgumentError, match="chroma"):
        segcore.Frame.nv12(luma, np.zeros((45, 60, 2), np.uint8))


# --- errors --------------------------------------------------------------------------------------


def test_errors_tell_their_kind_and_are_runtime_errors(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(Path(MODEL).read_bytes()[:1000])

    assert issubclass(segcore.Error, RuntimeError)
    with pytest.raises(segcore.NotFoundError, match="nowhere"):
        segcore.Segmenter.from_file(str(tmp_path / "nowhere.tflite"))
    with pytest.raises(segcore.InvalidModelError, match="damaged"):
        segcore.Segmenter.from_file(str(damaged))
    with pytest.raises(segcore.NotFoundError, match="libNowhere"):
        segcore.Segmenter.from_file(MODEL, litert_library=str(tmp_path / "libNowhere.so"))


def test_a_missing_accelerator_is_an_error_or_a_recorded_fallback() -> None:
    with pytest.raises(segcore.UnsupportedError, match="npu"):
        segcore.Segmenter.from_file(MODEL, accelerator=segcore.Accelerator.NPU)

    info = segcore.Segmenter.from_file(MODEL, accelerator=segcore.Accelerator.NPU, allow_fallback=True).info
    assert (info.accelerator, info.fell_back) == (segcore.Accelerator.CPU, True)


# --- threads -------------------------------------------------------------------------------------


def test_two_segmenters_at_once_give_what_each_gives_alone(frame: np.ndarray) -> None:
    barrier = threading.Barrier(2, timeout=60)
    expected = segcore.Segmenter.from_file(MODEL).run(frame).alpha.copy()
    results: list[bool] = []

    def work() -> None:
        segmenter = segcore.Segmenter.from_file(MODEL)
        barrier.wait()
        results.extend(np.array_equal(segmenter.run(frame).alpha, expected) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [True] * 20


def test_the_pipeline_gives_every_frame_of_a_source_with_its_own_mask(segmenter: segcore.Segmenter) -> None:
    frames = [np.random.default_rng(n).integers(0, 256, (90, 120, 3), np.uint8) for n in range(8)]
    options = segcore.CompositorOptions(background=segcore.Background.COLOUR)
    pipeline = segcore.Pipeline(
        MODEL, refiner=segcore.RefinerOptions(smooth=False), compositor=options, drop_oldest=False
    )
    source, drawn = iter(frames), []

    def sink(shown: segcore.Presented) -> None:
        drawn.append((shown.sequence, shown.mask_age, shown.picture))

    pipeline.start(sink, lambda: next(source, None))
    pipeline.wait()

    compositor, resizer = segcore.Compositor(options), segcore.AlphaResizer()
    assert [(sequence, age) for sequence, age, _ in drawn] == [(n, 0) for n in range(8)]
    for frame, (_, _, picture) in zip(frames, drawn, strict=True):
        assert np.array_equal(picture, compositor.run(frame, resizer.run(segmenter.run(frame))))
    assert pipeline.counters.presented == 8


def test_what_a_sink_or_source_raises_reaches_the_caller() -> None:
    def fail(*_: object) -> None:
        raise ValueError("the screen is gone")

    for start in (
        lambda pipeline: pipeline.start(fail, lambda: np.zeros((9, 9, 3), np.uint8)),
        lambda pipeline: pipeline.start(lambda shown: None, fail),
    ):
        pipeline = segcore.Pipeline(MODEL)
        start(pipeline)
        with pytest.raises(segcore.Error, match="the screen is gone"):
            pipeline.wait()


def test_a_presented_frame_has_no_pixels_once_the_sink_has_returned() -> None:
    kept: list[segcore.Presented] = []
    frames = iter([np.zeros((9, 9, 3), np.uint8)])
    pipeline = segcore.Pipeline(MODEL, drop_oldest=False)

    pipeline.start(kept.append, lambda: next(frames, None))
    pipeline.wait()

    assert kept[0].sequence == 0
    with pytest.raises(segcore.InvalidArgumentError, match="gone"):
        _ = kept[0].picture


# --- stubs ---------------------------------------------------------------------------------------


def test_the_stubs_say_what_the_module_has() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "segcore",
            "--allowlist",
            str(Path(__file__).with_name("stubtest.txt")),
        ],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
