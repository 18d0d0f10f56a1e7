# SPDX-License-Identifier: Apache-2.0
"""What a motion suite promises: frames as a camera gives them, exact masks, and to know where only noise changed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness import suite, suite_making, suite_motion
from harness.cli import main

SIZE = {"height": 90, "width": 160}


def make(out: Path, *movements: str, frames: int = 4, fps: int = 5, seed: int = 0) -> suite.Suite:
    return suite_motion.make(out, movements or suite_motion.MOVEMENTS, frames=frames, fps=fps, seed=seed, **SIZE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> suite.Suite:
    """All movements over a whole period."""
    return make(tmp_path_factory.mktemp("suites") / "moving", frames=20)


def frames(of: suite.Suite, movement: str) -> list[suite.Case]:
    return [case for case in of.cases if case.motion and case.motion.movement == movement]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class TestSequences:
    def test_the_frames_follow_each_other_movement_by_movement(self, made: suite.Suite) -> None:
        places = [(case.motion.movement, case.motion.frame) for case in suite.load(made.root).cases if case.motion]

        assert places == [(movement, frame) for movement in suite_motion.MOVEMENTS for frame in range(20)]
        assert made.fps == 5

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("movement", suite_motion.MOVEMENTS)
    def test_there_is_a_person_in_the_first_frame(self, tmp_path: Path, movement: str, seed: int) -> None:
        mask = make(tmp_path / "s", movement, frames=2, seed=seed).cases[0].read_mask()

        assert 0.15 < mask.mean() < 0.6

    def test_still_is_still(self, made: suite.Suite) -> None:
        cases = frames(made, "still")

        assert all(np.array_equal(case.read_mask(), cases[0].read_mask()) for case in cases)
        assert all(case.read_unchanged().all() for case in cases[1:])

    def test_sway_moves_the_person_both_ways(self, made: suite.Suite) -> None:
        columns = [np.nonzero(case.read_mask())[1].mean() for case in frames(made, "sway")]

        assert max(columns) - columns[0] > 5
        assert columns[0] - min(columns) > 5

    def test_raise_hand_adds_to_the_person_and_takes_it_away(self, made: suite.Suite) -> None:
        masks = [case.read_mask() for case in frames(made, "raise-hand")]
        raised = max(masks, key=np.count_nonzero)

        assert np.count_nonzero(raised & ~masks[0]) > 0.02 * np.count_nonzero(masks[0])
        assert not (masks[0] & ~raised).any()
        assert np.array_equal(masks[-1], masks[0])

    def test_leave_empties_the_frame_and_fills_it_again(self, made: suite.Suite) -> None:
        people = [case.read_mask().any() for case in frames(made, "leave")]

        assert people[0]
        assert not people[9]
        assert people[-1]


class TestTruth:
    @pytest.mark.parametrize("movement", ["sway", "raise-hand", "leave"])
    def test_where_a_pixel_is_unchanged_only_noise_differs(self, made: suite.Suite, movement: str) -> None:
        cases = frames(made, movement)
        for before, now in itertools.pairwise(cases):
            where = now.read_unchanged()
            difference = now.read_image().astype(int) - before.read_image()

            assert np.array_equal(now.read_mask()[where], before.read_mask()[where])
            assert np.abs(difference[where]).max() < 40  # seven standard deviations of the noisiest pixels
            assert where.mean() > 0.3

    def test_the_first_frame_of_a_sequence_does_not_tell(self, made: suite.Suite) -> None:
        for movement in suite_motion.MOVEMENTS:
            with pytest.raises(suite.SuiteError, match=f"{movement}-00000 does not tell"):
                frames(made, movement)[0].read_unchanged()

    def test_the_noise_grows_with_light_and_has_no_bias(self) -> None:
        for value, sigma in ((60, (1.5**2 + 0.054 * 60) ** 0.5), (200, (1.5**2 + 0.054 * 200) ** 0.5)):
            noise = suite_motion.sensor(np.full((200, 200, 3), value, np.uint8), (1, 2)).astype(int) - value

            assert noise.std() == pytest.approx(sigma, rel=0.03)
            assert noise.mean() == pytest.approx(0, abs=0.05)

    def test_the_noise_of_two_frames_is_independent(self) -> None:
        grey = np.full((100, 100, 3), 128, np.uint8)
        one, two = (suite_motion.sensor(grey, (0, frame)).ravel().astype(float) for frame in (0, 1))

        assert abs(np.corrcoef(one, two)[0, 1]) < 0.03


class TestMaking:
    def test_the_same_arguments_give_the_same_bytes(self, tmp_path: Path) -> None:
        one, two = make(tmp_path / "one"), make(tmp_path / "two")

        assert files(one.root) == files(two.root)

    def test_another_seed_gives_other_pictures(self, tmp_path: Path) -> None:
        one, two = make(tmp_path / "one", "still", seed=1), make(tmp_path / "two", "still", seed=2)

        assert one.sha256 != two.sha256

    def test_a_movement_is_the_same_alone_and_among_others(self, made: suite.Suite, tmp_path: Path) -> None:
        alone = make(tmp_path / "alone", "leave", frames=20)

        assert [case.image.sha256 for case in alone.cases] == [case.image.sha256 for case in frames(made, "leave")]

    def test_packing_keeps_everything_and_both_forms_verify(self, made: suite.Suite, tmp_path: Path) -> None:
        packed = suite_making.pack(made, tmp_path / "packed")

        assert suite.load(packed.root).sha256 == made.sha256
        assert np.array_equal(packed.cases[-1].read_unchanged(), made.cases[-1].read_unchanged())
        assert suite.verify(made) == suite.verify(packed) == []

    def test_a_changed_file_is_noticed(self, tmp_path: Path) -> None:
        made = make(tmp_path / "s", "sway")
        path = made.root / "unchanged" / "sway-00002.png"
        path.write_bytes(path.read_bytes() + b"!")

        assert [str(path) in problem for problem in suite.verify(made)] == [True]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda t: t["motion"].pop("fps"), "'fps' is a required property"),
            (lambda t: t["cases"].reverse(), "case still-00003 is not the next frame of its movement"),
            (lambda t: t["cases"].pop(1), "case still-00002 is not the next frame of its movement"),
            (lambda t: t["cases"][2].pop("motion"), "case still-00002 has no motion"),
            (lambda t: t["cases"][2].update(height=91), "case still-00002 has another size than still-00000"),
        ],
    )
    def test_refuses_what_is_no_sequence(self, tmp_path: Path, change, message: str) -> None:
        index = make(tmp_path / "s", "still").root / "suite.json"
        table = json.loads(index.read_text())
        change(table)
        index.write_text(json.dumps(table))

        with pytest.raises(suite.SuiteError, match=message):
            suite.load(index.parent)


class TestCommand:
    def test_makes_a_suite_and_says_what_it_is(self, tmp_path: Path) -> None:
        out = tmp_path / "moving"
        options = ["--movement", "sway", "--frames", "3", "--size", "160x90", "--seed", "7"]

        result = CliRunner().invoke(main, ["suite", "motion", "--out", str(out), *options])

        assert result.exit_code == 0, result.output
        assert f"{out}: motion-7: 3 cases at 30 fps, sha256 " in result.output
        assert (suite.load(out).cases[0].width, suite.load(out).cases[0].height) == (160, 90)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--movement", "dance"], "unknown movement dance; known: still, sway, raise-hand, leave"),
            (["--movement", "sway", "--movement", "sway"], "named twice"),
            (["--frames", "1"], "frames is 1, expected 2 to"),
            (["--size", "160"], "'160' is no size; write it as 640x360"),
            (["--size", "0x0"], "height is 0, expected 64 to"),
            (["--seed", "-1"], "seed is -1"),
        ],
    )
    def test_says_what_it_cannot_make(self, tmp_path: Path, options: list[str], message: str) -> None:
        result = CliRunner().invoke(main, ["suite", "motion", "--out", str(tmp_path / "s"), *options])

        assert result.exit_code == 2
        assert message in result.output
        assert not (tmp_path / "s").exists()
