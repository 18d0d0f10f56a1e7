# SPDX-License-Identifier: Apache-2.0
"""Taking in bundles from elsewhere: what is kept, what is refused and why, and that nothing else ever changes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import bundle, bundle_files, importing
from harness.bundle_files import FilesError
from harness.errors import ExitCode
from harness.files import write_tensor
from harness.importing import Outcome
from tests.harness import commands, import_fuzz, recordings
from tests.harness.bundles import write
from tests.harness.zips import DEVICE, LINK, PIPE, Member, bomb, members_of, pack, with_fresh_checksums

OUTPUTS = {"a": np.full((4, 3), 0.25, np.float32), "b": np.full((4, 3), 0.75, np.float32)}
FRAMES = [{"phase": "steady", "restart": 0, "block": 0, "case": "a", "start_ns": n, "total_ns": 7} for n in range(3)]
RUN_ID = "0-tflite-image"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return write(tmp_path / "phone" / f"{RUN_ID}.run", OUTPUTS, FRAMES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "imported"


def sent(folder: Path, top: bool = True) -> Path:
    """The folder as a phone sends it."""
    path = folder.with_name(folder.name + ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, f"{folder.name}/" * top + file.relative_to(folder).as_posix())
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def tell(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what a bundle tells of itself, with checksums that vouch for it."""
    facts = json.loads((folder / "run.json").read_bytes())
    change(facts)
    (folder / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    bundle.seal(folder)


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pack_up", [lambda f: f, sent, lambda f: sent(f, top=False)], ids=["folder", "zip", "bare zip"]
)
def test_a_bundle_is_taken_in_under_its_own_name_byte_by_byte(
    made: Path, out: Path, pack_up: Callable[[Path], Path]
) -> None:
    expected = content(made)
    source = pack_up(made)
    renamed = source.rename(source.with_name("from phone (2)" + "".join(source.suffixes)))

    outcome = importing.take(renamed, out)

    assert (outcome.verdict, outcome.bundle, outcome.message) == ("imported", out / f"{RUN_ID}.run", "")
    assert content(out / f"{RUN_ID}.run") == expected
    assert os.listdir(out) == [f"{RUN_ID}.run"]


def test_what_macos_leaves_in_a_zip_is_left_out(made: Path, out: Path) -> None:
    top = f"{RUN_ID}.run/"
    litter = [f"__MACOSX/{top}._run.json", ".DS_Store", f"{top}.DS_Store", f"{top}tensors/._a.npy"]
    path = made.with_suffix(".zip")
    path.write_bytes(pack([*members_of(made, top), *(Member(name.encode(), b"\0\5\x16\7") for name in litter)]))

    assert importing.take(path, out).verdict == "imported"
    assert content(out / f"{RUN_ID}.run") == content(made)


def test_a_camera_applications_bundle_is_taken_in(tmp_path: Path, out: Path) -> None:
    path = recordings.write(tmp_path / "live.run", recordings.steady(30, 33_000_000))

    assert importing.take(sent(path), out).verdict == "imported"


def test_the_same_bundle_again_is_there_already(made: Path, out: Path) -> None:
    importing.take(made, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}

    outcome = importing.take(sent(made), out)

    assert (outcome.verdict, outcome.bundle, outcome.exit_code) == ("present", out / f"{RUN_ID}.run", ExitCode.PASS)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*")} == before


def test_another_bundle_of_the_same_name_is_refused_and_the_first_stays(made: Path, tmp_path: Path, out: Path) -> None:
    importing.take(made, out)
    other = write(tmp_path / "other" / f"{RUN_ID}.run", OUTPUTS, FRAMES[:1])

    outcome = importing.take(other, out)

    assert (outcome.verdict, outcome.bundle, outcome.exit_code) == ("refused", None, ExitCode.USAGE)
    assert "another bundle of this name" in outcome.message and "--out" in outcome.message
    assert content(out / f"{RUN_ID}.run") == content(made)


def test_a_bundle_of_the_same_name_that_cannot_be_read_is_not_said_to_be_unwritable(made: Path, out: Path) -> None:
    unreadable = Path("/proc/self/mem")  # not even root can read its beginning
    if not unreadable.exists():
        pytest.skip("no /proc here")
    (out / f"{RUN_ID}.run").mkdir(parents=True)
    (out / f"{RUN_ID}.run" / "run.json").symlink_to(unreadable)

    outcome = importing.take(made, out)

    assert (outcome.verdict, outcome.exit_code) == ("refused", ExitCode.USAGE)
    assert "has this bundle's name and cannot be read" in outcome.message and "write" not in outcome.message
    assert os.listdir(out) == [f"{RUN_ID}.run"]


@pytest.mark.parametrize("already", ["file", "empty folder", "dangling link"])
def test_whatever_has_the_name_is_not_replaced(made: Path, out: Path, already: str) -> None:
    target = out / f"{RUN_ID}.run"
    out.mkdir()
    if already == "file":
        target.write_text("mine")
    elif already == "empty folder":
        target.mkdir()
    else:
        target.symlink_to(out / "nowhere")

    outcome = importing.take(made, out)

    assert (outcome.verdict, outcome.exit_code) == ("refused", ExitCode.USAGE)
    assert os.listdir(out) == [target.name]
    assert not list(target.iterdir()) if already == "empty folder" else not target.is_dir()


def test_a_run_that_failed_is_kept_and_says_so(tmp_path: Path, out: Path) -> None:
    error = {"kind": "memory", "message": "the system took the memory back"}
    path = write(tmp_path / "x.run", {"a": OUTPUTS["a"]}, status="failed", error=error, cases=["a", "b"])

    outcome = importing.take(path, out)

    assert (outcome.verdict, outcome.exit_code) == ("imported", ExitCode.INVALID)
    assert outcome.message == "the run failed: the system took the memory back"


def test_an_interrupted_run_stays_out_so_that_the_finished_one_can_come_in(
    tmp_path: Path, made: Path, out: Path
) -> None:
    half = write(tmp_path / "half" / f"{RUN_ID}.run", {"a": OUTPUTS["a"]}, cases=["a", "b"], status="partial")

    outcome = importing.take(half, out)

    assert (outcome.verdict, outcome.bundle, outcome.exit_code) == ("partial", None, ExitCode.INVALID)
    assert outcome.message.startswith("1 of 2 cases done: let it finish where it was made")
    assert importing.take(made, out).verdict == "imported"


def test_a_run_that_was_cut_off_before_its_checksums_is_one_too(made: Path, out: Path) -> None:
    (made / "checksums.txt").unlink()

    outcome = importing.take(sent(made), out)

    assert (outcome.verdict, out.exists()) == ("partial", False)
    assert outcome.message.startswith("it was interrupted before its end: let it finish")


def test_an_interrupted_run_that_has_all_its_tensors_is_not_said_to_be_done(tmp_path: Path, out: Path) -> None:
    half = write(tmp_path / "half.run", {"a": OUTPUTS["a"]}, status="partial")

    outcome = importing.take(half, out)

    assert outcome.verdict == "partial"
    assert outcome.message.startswith("it was interrupted before its end: let it finish")


# --- what is refused -----------------------------------------------------------------------------


def refused(path: Path, out: Path) -> str:
    """Why it was refused; that it left nothing behind is checked."""
    outcome = importing.take(path, out)
    assert (outcome.verdict, outcome.bundle) == ("refused", None), outcome
    assert not out.exists() or os.listdir(out) == []
    return outcome.message


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "tensors/a.npy").write_bytes(b"x"), "tensors/a.npy has changed"),
        (lambda f: (f / "tensors/a.npy").unlink(), "tensors/a.npy is missing"),
        (lambda f: (f / "more.txt").write_text("x"), "more.txt is not listed"),
        (lambda f: (f / "run.json").unlink(), "no run.json"),
        (lambda f: (f / "run.json").write_text("{}"), "is a required property"),
    ],
)
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_damaged_bundle_is_refused(
    made: Path, out: Path, damage: Callable[[Path], object], message: str, form: str
) -> None:
    damage(made)
    path = sent(made) if form == "zip" else made

    said = refused(path, out)

    assert message in said and str(path) in said and ".tmp" not in said


@pytest.mark.parametrize(
    ("name", "data"),
    [("tensors/a.npy", b"\x93NUMPY"), ("samples.csv", b"seq,phase\n0,steady\n"), ("tensors/b.npy", None)],
)
def test_checksums_do_not_vouch_for_what_is_no_tensor_and_no_table(
    made: Path, out: Path, name: str, data: bytes | None
) -> None:
    kept = [m for m in members_of(made) if m.name != name.encode()]
    members = with_fresh_checksums([*kept, *([Member(name.encode(), data)] if data is not None else [])])
    path = made.with_suffix(".zip")
    path.write_bytes(pack(members))

    assert name.partition(".")[0].split("/")[-1] in refused(path, out)


def test_what_a_failed_run_has_left_is_checked_as_well(tmp_path: Path, out: Path) -> None:
    error = {"kind": "memory", "message": "the system took the memory back"}
    path = write(tmp_path / "x.run", {"a": OUTPUTS["a"]}, status="failed", error=error, cases=["a", "b"])
    (path / "tensors/a.npy").write_bytes(b"no tensor")
    bundle.seal(path)

    assert "tensors/a.npy is damaged" in refused(path, out)


NAMES = {
    "../outside.npy": "no name", "/outside.npy": "no name", "tensors/../../outside": "no name", "C:/outside": "no name",
    "..\\outside": "no name", "tensors//x": "no name", "tensors/./x": "no name", "a\nb": "no name",
    "tensors/a.npy": "twice", "Tensors/a.npy": "case is ignored", "tensors/A.npy": "case is ignored",
    "run.json/x": "a file and a folder", "tensors": "a file and a folder", "x" * 300: "too long",
    "d/" * 600 + "x": "too long",
}  # fmt: skip


@pytest.mark.parametrize(("name", "message"), NAMES.items(), ids=[name[:20] for name in NAMES])
def test_a_name_that_leads_elsewhere_or_clashes_is_refused(made: Path, out: Path, name: str, message: str) -> None:
    path = made.with_suffix(".zip")
    path.write_bytes(pack(with_fresh_checksums([*members_of(made), Member(name.encode(), b"x")])))

    assert message in refused(path, out)


@pytest.mark.parametrize("name", ["notes.txt", "another.run/tensors/a.npy", ".hidden/x"])
def test_what_lies_beside_the_bundle_in_a_zip_is_not_dropped_in_silence(made: Path, out: Path, name: str) -> None:
    path = made.with_suffix(".zip")
    path.write_bytes(pack([*members_of(made, f"{RUN_ID}.run/"), Member(name.encode(), b"x")]))

    assert f"'{name}' lies beside the bundle's folder '{RUN_ID}.run/'" in refused(path, out)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("../../../../secret", "suite.cases.1.id"), ("/secret", "suite.cases.1.id"), ("", "suite.cases.1.id"),
        ("a", "'a' is there twice"), ("A", "'a' is there twice"),
    ],
)  # fmt: skip
def test_a_case_whose_file_would_be_elsewhere_or_that_of_another_is_refused(
    made: Path, tmp_path: Path, out: Path, case: str, message: str
) -> None:
    write_tensor(tmp_path / "secret.npy", OUTPUTS["b"])
    tell(made, lambda facts: facts["suite"]["cases"][1].update(id=case))

    assert message in refused(made, out)


@pytest.mark.parametrize("mode", [LINK, PIPE, DEVICE], ids=["link", "pipe", "device"])
def test_what_is_no_file_is_refused_in_a_zip(made: Path, out: Path, mode: int) -> None:
    path = made.with_suffix(".zip")
    path.write_bytes(pack([*members_of(made), Member(b"tensors/c.npy", b"/etc/passwd", mode=mode)]))

    assert "neither a file nor a folder" in refused(path, out)


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_is_refused_in_a_folder(made: Path, tmp_path: Path, out: Path, kind: str) -> None:
    (made / "samples.csv").unlink()
    if kind == "link":
        (made / "samples.csv").symlink_to(tmp_path / "secret")
    else:
        os.mkfifo(made / "samples.csv")

    assert "samples.csv is neither a file nor a folder" in refused(made, out)


def test_a_pipe_is_not_waited_for(tmp_path: Path, out: Path) -> None:
    os.mkfifo(tmp_path / "x.run.zip")

    assert "neither a file nor a folder" in refused(tmp_path / "x.run.zip", out)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"MOST_PACKED": 100}, "bytes, more than 100"),
        ({"MOST_BYTES": 100}, "unpacked, more than 100"),
        ({"MOST_ENTRIES": 3}, "entries, more than 3"),
        ({"SMALL": 0, "MOST_RATIO": 1}, "no bundle can be packed so small"),
    ],
)
def test_more_than_a_bundle_can_hold_is_refused_before_anything_is_unpacked(
    made: Path, out: Path, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int], message: str
) -> None:
    path = sent(made)
    for name, value in limits.items():
        monkeypatch.setattr(bundle_files, name, value)

    assert message in refused(path, out)


def test_a_zip_bomb_is_refused_by_the_real_limits(made: Path, out: Path) -> None:
    path = made.with_suffix(".zip")
    path.write_bytes(pack([*members_of(made), Member(b"tensors/bomb.npy", bomb())]))

    assert "no bundle can be packed so small" in refused(path, out)


def test_entries_that_share_their_bytes_are_refused(made: Path, out: Path) -> None:
    one = Member(b"tensors/0.npy", bytes(range(256)) * 256, method=0)
    path = made.with_suffix(".zip")
    path.write_bytes(
        pack([one, *members_of(made), *(Member(b"tensors/%d.npy" % k, one.content, 0, at=0) for k in range(1, 9))])
    )

    assert refused(path, out)


def test_a_bundle_is_read_with_the_same_suspicion_wherever_it_is_opened(made: Path) -> None:
    path = made.with_suffix(".zip")
    path.write_bytes(pack([*members_of(made), Member(b"../outside", b"x")]))

    with pytest.raises(bundle.BundleError, match=r"not a run bundle: '\.\./outside' is no name"):
        bundle.open(path)


def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    outcome = importing.take(made, tmp_path / "file" / "out")

    assert (outcome.verdict, outcome.exit_code) == ("refused", ExitCode.USAGE)
    assert "--out" in outcome.message


# --- names, by definition ------------------------------------------------------------------------

odd_text = st.text(st.sampled_from("ab./\\:\0\n\x7f é"), max_size=12)


@settings(max_examples=300)
@given(odd_text | st.text(max_size=20))
def test_a_name_is_accepted_only_if_it_lies_inside_and_stays_itself(name: str) -> None:
    try:
        bundle_files.check_name(name)
    except FilesError:
        return
    inside = os.path.normpath(os.path.join("/folder", name))
    assert inside == f"/folder/{name}"
    assert "\\" not in name and ":" not in name
    assert name.isprintable() or not name.isascii()


@given(
    st.lists(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}(/[a-z0-9]{1,5}){0,2}", fullmatch=True), unique=True, max_size=6)
)
def test_plain_names_that_differ_are_accepted_unless_one_is_the_folder_of_another(names: list[str]) -> None:
    clash = any(other.startswith(f"{name}/") for name in names for other in names)
    if clash:
        with pytest.raises(FilesError, match="a file and a folder"):
            bundle_files.check_names(names)
    else:
        bundle_files.check_names(names)


# --- the command ---------------------------------------------------------------------------------


def test_each_bundle_gets_its_verdict_and_the_good_ones_are_kept(made: Path, tmp_path: Path) -> None:
    good = sent(made)
    bad = tmp_path / "bad.run.zip"
    bad.write_bytes(good.read_bytes()[:-40])
    half = write(tmp_path / "half.run", {"a": OUTPUTS["a"]}, cases=["a", "b"], status="partial", run_id="half")

    done = commands.run("import", good, bad, half, tmp_path / "none.zip", "--out", tmp_path / "in", "--json")

    told = json.loads(done.stdout)
    assert [one["verdict"] for one in told] == ["imported", "refused", "partial", "refused"]
    assert told[0]["bundle"] == str(tmp_path / "in" / f"{RUN_ID}.run")
    assert (told[0]["label"], told[0]["lane"]) == ("tflite", "image")
    assert "not a run bundle" in told[1]["message"] and "no such run bundle" in told[3]["message"]
    assert done.returncode == ExitCode.INVALID
    assert os.listdir(tmp_path / "in") == [f"{RUN_ID}.run"]


def test_in_words_it_says_where_the_bundle_is_and_what_was_wrong(made: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.run.zip"
    bad.write_text("no zip")

    done = commands.run("import", made, bad, "--out", tmp_path / "in")

    assert done.stdout == f"imported  tflite  image  any  {tmp_path}/in/{RUN_ID}.run\n"
    assert f"refused   {bad}: not a run bundle: " in done.stderr
    assert done.returncode == ExitCode.INVALID


@pytest.mark.parametrize("command", [["import"], ["compare"]])
def test_a_label_that_nobody_can_write_is_refused(made: Path, tmp_path: Path, command: list[str]) -> None:
    tell(made, lambda facts: facts.update(label="\ud800x"))

    done = commands.run(*command, made, "--out", tmp_path / "out")

    assert done.returncode == ExitCode.INVALID
    assert "run.json is not readable" in done.stderr and "Traceback" not in done.stderr


def test_what_a_bundle_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    error = {"kind": "memory", "message": "\x1b[2Jgone"}
    path = write(tmp_path / "x.run", {}, status="failed", error=error, label="good\x1b[1Abad", run_id="x")

    done = commands.run("import", path, "--out", tmp_path / "in")

    assert "\x1b" not in done.stdout + done.stderr
    assert "good\\x1b[1Abad" in done.stdout and "the run failed: \\x1b[2Jgone" in done.stdout


def test_nor_where_it_is_compared(made: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "x.run", OUTPUTS, FRAMES, label="good\x1b[1Abad", run_id="x")

    done = commands.run("compare", made, other, "--out", tmp_path / "report")

    assert done.returncode == ExitCode.PASS, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "good\\x1b[1Abad" in done.stdout


def test_all_is_well_where_all_is_there(made: Path, tmp_path: Path) -> None:
    first, second = (commands.run("import", made, "--out", tmp_path / "in") for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0)
    assert second.stdout.startswith("present ")


def test_an_imported_bundle_is_compared_like_any_other(made: Path, tmp_path: Path) -> None:
    reference = write(tmp_path / "reference.run", OUTPUTS, FRAMES, label="keras", session="another")
    importing.take(sent(made), tmp_path / "in")

    done = commands.run("compare", reference, tmp_path / "in" / f"{RUN_ID}.run", "--out", tmp_path / "report")

    assert done.returncode == 0, done.stderr


# --- whatever comes ------------------------------------------------------------------------------


def test_mutated_zips_are_taken_in_or_refused_and_nothing_else_happens(made: Path, tmp_path: Path) -> None:
    """A short one; ``make test-system`` tries 10,000."""
    seen = import_fuzz.attack(made, tmp_path / "fuzz", rounds=300, seed=1)

    assert seen["refused"] > 150
    assert seen["imported"] > 15


def test_the_attack_notices_a_file_outside(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(source: Path, folder: Path) -> Outcome:
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                (folder / name).resolve().parent.mkdir(parents=True, exist_ok=True)
                (folder / name).resolve().write_bytes(archive.read(name))
        shutil.rmtree(folder)  # whatever came to be inside is no matter here
        folder.mkdir()
        return Outcome(source, "refused", message="it was careless")

    monkeypatch.setattr(importing, "take", careless)
    monkeypatch.setattr(import_fuzz, "EXPECTED", (Exception,))

    with pytest.raises(AssertionError, match="outside"):
        import_fuzz.attack(made, tmp_path / "fuzz", rounds=300, seed=1)
