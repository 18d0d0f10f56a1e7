#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetches LiteRT for iOS into ``ios/Frameworks``, as xcframeworks that Package.swift then links.

    python3 ios/scripts/fetch_litert.py [--without-metal]

LiteRT publishes bare libraries. ``CLiteRT.xcframework`` holds its runtime as a framework, as an application should have
it; ``LiteRtMetalAccelerator.xcframework`` holds the accelerator for Metal as a library, since LiteRT opens it by that
file's name. Nothing is kept whose size or SHA-256 is not the pinned one. An interrupted download goes on where it
ended. Only Python's own library is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

COMMIT = "f67457790c9c2ab67347d6fe53270e8d3df20868"
SOURCE = f"https://media.githubusercontent.com/media/google-ai-edge/LiteRT/{COMMIT}/litert/prebuilt"
POINTERS = f"https://raw.githubusercontent.com/google-ai-edge/LiteRT/{COMMIT}/litert/prebuilt"
FRAMEWORK = "CLiteRT"
ACCELERATOR = "LiteRtMetalAccelerator"
INSTALL_NAME = f"@rpath/{FRAMEWORK}.framework/{FRAMEWORK}"
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
    """What one platform gets. An accelerator is published beside the runtime."""

    platform: str
    variant: str | None
    runtime: Library

    @property
    def name(self) -> str:
        return "-".join(filter(None, ("ios", "arm64", self.variant)))


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


def pinned_by_the_commit(pointers: str, path: str) -> Library | None:
    """A library whose size and SHA-256 are not written here, as the commit has them; None where it has no such file.

    git keeps a large file's size and hash in its place (Git LFS, specification version 1), so they are as fixed as the
    commit is.

    Args:
        pointers: URL that the commit's own, small files are below.

    Raises:
        FetchError: the answer cannot be had, or is something else.
    """
    url = f"{pointers}/{path}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            text = answer.read(1024).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise _unreachable(url, error) from error
    except OSError as error:
        raise _unreachable(url, error) from error
    found = re.fullmatch(r"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n", text)
    if found is None:
        raise FetchError(f"{url}: not what Git LFS keeps in a large file's place; fetch --without-metal")
    return Library(path, int(found[2]), found[1])


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
    except OSError as error:
        raise _unreachable(url, error) from error
    if begun.stat().st_size < library.size:
        raise FetchError(f"{url}: the connection ended after {begun.stat().st_size} of {library.size} bytes; run again")


def _unreachable(url: str, error: OSError) -> FetchError:
    return FetchError(
        f"{url}: cannot be downloaded: {getattr(error, 'reason', error)}. Run this again where that address can be "
        "reached; what was begun is gone on with"
    )


def _matches(file: Path, library: Library) -> bool:
    return file.stat().st_size == library.size and _sha256(file) == library.sha256


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while data := stream.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def wrap(files: dict[Slice, Path], kind: Callable[[Path, Path, Slice], dict[str, object]], target: Path) -> None:
    """Makes an xcframework under another name and renames it. An older one is replaced.

    Args:
        files: each platform's library.
        kind: ``framework`` or ``library``: puts such a file into a folder, and says where it is.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        libraries = []
        for part, file in files.items():
            (made / part.name).mkdir(parents=True)
            libraries.append(kind(file, made / part.name, part) | _platform(part))
        _write_plist(
            made / "Info.plist",
            {"AvailableLibraries": libraries, "CFBundlePackageType": "XFWK", "XCFrameworkFormatVersion": "1.0"},
        )
        if target.exists():
            target.replace(Path(temporary) / "old")
        made.replace(target)


def _platform(part: Slice) -> dict[str, object]:
    facts: dict[str, object] = {
        "LibraryIdentifier": part.name,
        "SupportedArchitectures": ["arm64"],
        "SupportedPlatform": "ios",
    }
    return facts | ({"SupportedPlatformVariant": part.variant} if part.variant else {})


def framework(file: Path, folder: Path, part: Slice) -> dict[str, object]:
    """LiteRT's runtime as a framework."""
    made = folder / f"{FRAMEWORK}.framework"
    made.mkdir()
    binary = _binary(file, made / FRAMEWORK)
    _write_plist(made / "Info.plist", _framework_facts(part))
    if sys.platform == "darwin":
        _tool("install_name_tool", "-id", INSTALL_NAME, str(binary))
        _tool("codesign", "--force", "--sign", "-", str(made))  # Xcode signs it again, as yours, when it embeds it
    return {"BinaryPath": f"{made.name}/{FRAMEWORK}", "LibraryPath": made.name}


def library(file: Path, folder: Path, _part: Slice) -> dict[str, object]:
    """An accelerator as a library, which finds the runtime where it is now."""
    binary = _binary(file, folder / f"lib{ACCELERATOR}.dylib")
    if sys.platform == "darwin":
        names = ["-id", f"@rpath/{binary.name}"]
        for used in re.findall(r"^\s+(\S*libLiteRt\.dylib) ", _tool("otool", "-L", str(binary)), re.MULTILINE):
            names += ["-change", used, INSTALL_NAME]
        _tool("install_name_tool", *names, str(binary))
        _tool("codesign", "--force", "--sign", "-", str(binary))
    return {"BinaryPath": binary.name, "LibraryPath": binary.name}


def _binary(file: Path, to: Path) -> Path:
    shutil.copyfile(file, to)
    to.chmod(0o755)
    return to


def _tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FetchError(f"{' '.join(command)}: {done.stderr.strip()}; it comes with Xcode: xcode-select --install")
    return done.stdout


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


def _write_plist(path: Path, facts: dict[str, object]) -> None:
    path.write_bytes(plistlib.dumps(facts))


def make(
    folder: Path, source: str = SOURCE, slices: tuple[Slice, ...] = SLICES, pointers: str | None = POINTERS
) -> list[Path]:
    """Fetches every library and wraps them. What is downloaded stays in ``.downloads``.

    Args:
        folder: where the xcframeworks come.
        source: URL that the libraries are below.
        pointers: as ``pinned_by_the_commit`` has it; None leaves the accelerator out.

    Returns:
        The xcframeworks that were made.
    """
    downloads = folder / ".downloads"
    runtime, accelerator = folder / f"{FRAMEWORK}.xcframework", folder / f"{ACCELERATOR}.xcframework"
    files = {}
    for part in slices if pointers else ():
        path = str(PurePosixPath(part.runtime.path).with_name(f"lib{ACCELERATOR}.dylib"))
        if pinned := pinned_by_the_commit(pointers, path):
            files[part] = fetch(source, pinned, downloads)
    wrap({part: fetch(source, part.runtime, downloads) for part in slices}, framework, runtime)
    if not files:
        shutil.rmtree(accelerator, ignore_errors=True)  # one that does not belong to this runtime
        return [runtime]
    wrap(files, library, accelerator)
    return [runtime, accelerator]


def main() -> int:
    folder = Path(__file__).resolve().parents[1] / "Frameworks"
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=folder, help="folder for the xcframeworks (%(default)s)")
    parser.add_argument("--without-metal", action="store_true", help="leave the accelerator for Metal out")
    options = parser.parse_args()
    try:
        made = make(options.out, pointers=None if options.without_metal else POINTERS)
    except FetchError as error:
        print(f"fetch_litert: {error}", file=sys.stderr)
        return 1
    print(*made, sep="\n")
    if len(made) == 1 and not options.without_metal:
        print("The pinned commit has no accelerator for Metal: the application will use the CPU.")
    print("Was the package opened before? Then in Xcode: File > Packages > Reset Package Caches.")
    if sys.platform != "darwin":
        print("Not on a Mac: install names are not set and nothing is signed. Run this on the Mac that has Xcode.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
