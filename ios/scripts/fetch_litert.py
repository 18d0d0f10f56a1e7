#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches LiteRT for iOS and wraps it as ``ios/Frameworks/CLiteRT.xcframework``, which Package.swift then links.

    python3 ios/scripts/fetch_litert.py

LiteRT publishes bare libraries; an application may only hold frameworks. Nothing is kept whose size or SHA-256 is not
the pinned one. An interrupted download goes on where it ended. Only Python's own library is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import plistlib
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

COMMIT = "f67457790c9c2ab67347d6fe53270e8d3df20868"
SOURCE = f"https://media.githubusercontent.com/media/google-ai-edge/LiteRT/{COMMIT}/litert/prebuilt"
FRAMEWORK = "CLiteRT"
MINIMUM_IOS = "15.0"
CHUNK = 1 << 20


class FetchError(Exception):
    """What went wrong, where, and what to do."""


@dataclass(frozen=True)
class Library:
    """A published file: its path below the source, its size in bytes and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Slice:
    """What one platform gets: the runtime, and accelerators that LiteRT looks for by their file names beside it."""

    platform: str
    variant: str | None
    runtime: Library
    accelerators: tuple[Library, ...] = ()

    @property
    def name(self) -> str:
        return "-".join(filter(None, ("ios", "arm64", self.variant)))


# The accelerator for Metal (libLiteRtMetalAccelerator.dylib) is published beside these. Its size and hash at this
# commit are not known, so it is not fetched; add it to both slices once they are.
SLICES = (
    Slice(
        platform="iPhoneOS",
        variant=None,
        runtime=Library(
            "ios_arm64/libLiteRt.dylib", 8_068_840, "6d3ae5379b0d4ad37cf4417aba459cc43f7fa33b6e6d8b462de67f1005a17669"
        ),
    ),
    Slice(
        platform="iPhoneSimulator",
        variant="simulator",
        runtime=Library(
            "ios_sim_arm64/libLiteRt.dylib",
            7_799_952,
            "24575eb8f10419785fdb860e66446e31c55246e377e3a5381d077e6a3cee9e76",
        ),
    ),
)


def fetch(source: str, library: Library, folder: Path) -> Path:
    """The library as a file in ``folder``, downloaded if it is not there.

    Args:
        source: URL that the library's path is below.
        folder: where finished files, and begun ones with the ending ``.part``, are kept.

    Raises:
        FetchError: it cannot be had, or is not the pinned one.
    """
    file = folder / library.sha256
    if file.exists() and _matches(file, library):
        return file
    folder.mkdir(parents=True, exist_ok=True)
    begun = file.with_suffix(".part")
    url = f"{source}/{library.path}"
    _download(url, library, begun)
    if not _matches(begun, library):
        found = f"{begun.stat().st_size} bytes, SHA-256 {_sha256(begun)}"
        begun.unlink()
        raise FetchError(f"{url}: not the pinned file: {found}; pinned are {library.size} bytes, {library.sha256}")
    begun.replace(file)
    return file


def _download(url: str, library: Library, begun: Path) -> None:
    have = begun.stat().st_size if begun.exists() else 0
    if have >= library.size:  # whole, or of no use: the hash tells which
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            goes_on = have > 0 and answer.status == 206
            with begun.open("ab" if goes_on else "wb") as file:
                left = library.size - (have if goes_on else 0) + 1  # one more byte tells that it is too long
                while left > 0 and (data := answer.read(min(CHUNK, left))):
                    file.write(data)
                    left -= len(data)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise FetchError(
            f"{url}: cannot be downloaded: {reason}. Run this again where that address can be reached; "
            "what was begun is gone on with"
        ) from error
    if begun.stat().st_size < library.size:
        raise FetchError(f"{url}: the connection ended after {begun.stat().st_size} of {library.size} bytes; run again")


def _matches(file: Path, library: Library) -> bool:
    return file.stat().st_size == library.size and _sha256(file) == library.sha256


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while data := stream.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def wrap(files: dict[Library, Path], slices: tuple[Slice, ...], target: Path) -> None:
    """Makes the xcframework under another name and renames it. An older one is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        for part in slices:
            _framework(files, part, made / part.name / f"{FRAMEWORK}.framework")
        _write_plist(made / "Info.plist", _xcframework_facts(slices))
        if target.exists():
            target.replace(Path(temporary) / "old")
        made.replace(target)


def _framework(files: dict[Library, Path], part: Slice, framework: Path) -> None:
    framework.mkdir(parents=True)
    binary = framework / FRAMEWORK
    shutil.copyfile(files[part.runtime], binary)
    binary.chmod(0o755)
    beside = []
    for accelerator in part.accelerators:
        library = framework / Path(accelerator.path).name
        shutil.copyfile(files[accelerator], library)
        library.chmod(0o755)
        beside.append(library)
    _write_plist(framework / "Info.plist", _framework_facts(part))
    if sys.platform == "darwin":
        name = f"@rpath/{FRAMEWORK}.framework/{FRAMEWORK}"
        _tool("install_name_tool", "-id", name, str(binary))
        for code in [*beside, framework]:  # Xcode signs them again, as yours, when it embeds them
            _tool("codesign", "--force", "--sign", "-", str(code))


def _tool(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FetchError(f"{' '.join(command)}: {done.stderr.strip()}; it comes with Xcode: xcode-select --install")


def _framework_facts(part: Slice) -> dict[str, object]:
    return {
        "CFBundleDevelopmentRegion": "en",
        "CFBundleExecutable": FRAMEWORK,
        "CFBundleIdentifier": "org.mobileunetharness.CLiteRT",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleName": FRAMEWORK,
        "CFBundlePackageType": "FMWK",
        "CFBundleShortVersionString": "1.0",
        "CFBundleSupportedPlatforms": [part.platform],
        "CFBundleVersion": "1",
        "MinimumOSVersion": MINIMUM_IOS,
    }


def _xcframework_facts(slices: tuple[Slice, ...]) -> dict[str, object]:
    libraries = []
    for part in slices:
        facts: dict[str, object] = {
            "BinaryPath": f"{FRAMEWORK}.framework/{FRAMEWORK}",
            "LibraryIdentifier": part.name,
            "LibraryPath": f"{FRAMEWORK}.framework",
            "SupportedArchitectures": ["arm64"],
            "SupportedPlatform": "ios",
        }
        if part.variant:
            facts["SupportedPlatformVariant"] = part.variant
        libraries.append(facts)
    return {"AvailableLibraries": libraries, "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"}


def _write_plist(path: Path, facts: dict[str, object]) -> None:
    path.write_bytes(plistlib.dumps(facts))


def make(target: Path, source: str = SOURCE, slices: tuple[Slice, ...] = SLICES) -> None:
    """Fetches every library and wraps them. What is downloaded stays in ``.downloads`` beside the target."""
    libraries = [library for part in slices for library in (part.runtime, *part.accelerators)]
    wrap({library: fetch(source, library, target.parent / ".downloads") for library in libraries}, slices, target)


def main() -> int:
    folder = Path(__file__).resolve().parents[1] / "Frameworks"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=folder, help=f"folder for {FRAMEWORK}.xcframework (%(default)s)")
    target = parser.parse_args().out / f"{FRAMEWORK}.xcframework"
    try:
        make(target)
    except FetchError as error:
        print(f"fetch_litert: {error}", file=sys.stderr)
        return 1
    print(target)
    print("Was the package opened before? Then in Xcode: File > Packages > Reset Package Caches.")
    if sys.platform != "darwin":
        print("Not on a Mac: its install name is not set and it is not signed. Run this on the Mac that has Xcode.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
