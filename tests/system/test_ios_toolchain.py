# SPDX-License-Identifier: Apache-2.0
"""What can be said here of the parts for Apple's systems: syntax, property lists, and that the core compiles there.

The Swift compiler parses what only Apple's SDK can type-check; `plutil` comes with its toolchain on Linux. The core is
compiled for Apple's processors by zig, which carries the headers of macOS and enough to link for it; for iOS it has no
headers, so those of macOS serve, and nothing is linked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
IOS = ROOT / "ios"
CORE = ROOT / "core"
ZIG = "ziglang==0.15.1"
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
needs_swift = pytest.mark.skipif(shutil.which("swiftc") is None, reason="there is no Swift toolchain here")
# The C++ that Package.swift compiles: the core, and the bundle tools' C interface.
SOURCES = [
    *sorted((CORE / "src").rglob("*.cc")),
    *sorted((CORE / "tools/bundle").glob("*.cc")),
    *sorted((CORE / "tools/capi").glob("*.cc")),
    CORE / "tools/segbench/command_line.cc",
]


def call(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@needs_swift
def test_every_swift_file_is_parsed_by_the_compiler() -> None:
    folders = sorted({file.parent for file in IOS.rglob("*.swift")})
    assert {"RTIOS", "RTIOSBenchmarks", "RTIOSKit", "SegKit"} <= {folder.name for folder in folders}
    for folder in folders:
        call("swiftc", "-parse", "-swift-version", "6", *sorted(folder.glob("*.swift")))


@needs_swift
@pytest.mark.skipif(shutil.which("plutil") is None, reason="there is no plutil in this Swift toolchain")
def test_the_project_and_every_list_and_table_of_strings_pass_plutil() -> None:
    lists = [IOS / "RTIOS.xcodeproj/project.pbxproj", IOS / "RTIOS/Info.plist", IOS / "RTIOS/PrivacyInfo.xcprivacy"]
    call("plutil", "-lint", *lists, *sorted(IOS.rglob("*.strings")))


@pytest.fixture(scope="module")
def zig(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python whose environment has zig."""
    folder = tmp_path_factory.mktemp("zig") / "venv"
    assert UV is not None
    call(UV, "venv", "--quiet", "--python", sys.executable, folder)
    call(UV, "pip", "install", "--quiet", "--python", folder / "bin/python", ZIG)
    return folder / "bin/python"


def compile_all(zig: Path, target: str, out: Path, options: Iterable[str | Path] = ()) -> list[Path]:
    include = [f"-I{CORE / folder}" for folder in ("include", "src", "tools", "tools/include")]
    define = ['-DSEGCORE_VERSION="0"', '-DSEGCORE_CONFIGURATION="Release"']
    flags = ["-target", target, "-std=c++17", "-Wall", "-Wextra", "-Werror", *include, *define, *options]

    def compile_one(source: Path) -> Path:
        made = out / f"{source.parent.name}-{source.stem}.o"
        call(zig, "-m", "ziglang", "c++", *flags, "-c", source, "-o", made)
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, SOURCES))


def kind(path: Path) -> tuple[bytes, bytes]:
    """Magic number and processor of a Mach-O file."""
    head = path.read_bytes()[:8]
    return head[:4], head[4:]


ARM64 = (b"\xcf\xfa\xed\xfe", b"\x0c\x00\x00\x01")


def test_the_core_compiles_and_links_for_arm64_macos(zig: Path, tmp_path: Path) -> None:
    objects = compile_all(zig, "aarch64-macos.12.0", tmp_path)
    library = tmp_path / "libsegcore.dylib"
    call(zig, "-m", "ziglang", "c++", "-target", "aarch64-macos.12.0", "-shared", *objects, "-o", library)
    assert kind(library) == ARM64


def test_the_core_compiles_for_arm64_ios_with_litert_linked(zig: Path, tmp_path: Path) -> None:
    place = subprocess.run(
        [str(zig), "-c", "import ziglang; print(*ziglang.__path__)"], capture_output=True, text=True, check=True
    )
    headers = Path(place.stdout.strip()) / "lib/libc/include/any-macos-any"
    objects = compile_all(zig, "aarch64-ios.15.0", tmp_path, ["-idirafter", headers, "-DSEGCORE_LITERT_LINKED"])
    assert all(kind(made) == ARM64 for made in objects)
