# SPDX-License-Identifier: Apache-2.0
"""LiteRT for iOS is kept only if it is the pinned one, and wrapped as Xcode expects it.

Files of the test's own come from a server of the test's own: the pins are parameters.
"""

from __future__ import annotations

import hashlib
import plistlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests import scripts

fetch_litert = scripts.load("ios/scripts/fetch_litert.py")


class Server(ThreadingHTTPServer):
    """Serves bytes by path; notes where each answer began; may hang up in the middle."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.begins: list[tuple[str, int]] = []
        self.hang_up_after: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        content = self.server.files.get(self.path.removeprefix("/"))
        if content is None:
            self.send_error(404)
            return
        begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.server.begins.append((self.path, begin))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        end = self.server.hang_up_after
        self.wfile.write(content[begin : None if end is None else begin + end])

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(server: Server, path: str, content: bytes) -> object:
    server.files[path] = content
    return fetch_litert.Library(path, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def slices(server: Server) -> tuple[object, ...]:
    """The device has an accelerator, the simulator none."""
    metal = b"metal" * 300
    publish(server, "device/libLiteRtMetalAccelerator.dylib", metal)
    server.files["git/device/libLiteRtMetalAccelerator.dylib"] = (
        b"version https://git-lfs.github.com/spec/v1\n"
        b"oid sha256:%s\nsize %d\n" % (hashlib.sha256(metal).hexdigest().encode(), len(metal))
    )
    return (
        fetch_litert.Slice("iPhoneOS", None, publish(server, "device/libLiteRt.dylib", b"device" * 500)),
        fetch_litert.Slice("iPhoneSimulator", "simulator", publish(server, "sim/libLiteRt.dylib", b"simulator" * 400)),
    )


def make(server: Server, slices: tuple[object, ...], folder: Path) -> list[Path]:
    return fetch_litert.make(folder, server.url, slices, f"{server.url}/git")


def test_the_xcframework_has_a_framework_for_device_and_simulator(
    server: Server, slices: tuple[object, ...], tmp_path: Path
) -> None:
    target = make(server, slices, tmp_path)[0]
    facts = plistlib.loads((target / "Info.plist").read_bytes())
    assert facts["CFBundlePackageType"] == "XFWK"
    variants = {}
    for library in facts["AvailableLibraries"]:
        framework = target / library["LibraryIdentifier"] / library["LibraryPath"]
        inside = plistlib.loads((framework / "Info.plist").read_bytes())
        assert inside["CFBundleExecutable"] == framework.stem == "CLiteRT"
        assert library["BinaryPath"] == f"{library['LibraryPath']}/{inside['CFBundleExecutable']}"
        variants[library.get("SupportedPlatformVariant")] = framework
        assert library["SupportedArchitectures"] == ["arm64"] and library["SupportedPlatform"] == "ios"
    assert (variants[None] / "CLiteRT").read_bytes() == b"device" * 500
    assert (variants["simulator"] / "CLiteRT").read_bytes() == b"simulator" * 400


def test_an_accelerator_is_a_library_of_the_name_it_is_looked_for_by(
    server: Server, slices: tuple[object, ...], tmp_path: Path
) -> None:
    target = make(server, slices, tmp_path)[1]
    (library,) = plistlib.loads((target / "Info.plist").read_bytes())["AvailableLibraries"]
    assert library["LibraryPath"] == library["BinaryPath"] == "libLiteRtMetalAccelerator.dylib"
    assert "SupportedPlatformVariant" not in library
    assert (target / library["LibraryIdentifier"] / library["LibraryPath"]).read_bytes() == b"metal" * 300


def test_without_an_accelerator_an_older_one_is_taken_away(
    server: Server, slices: tuple[object, ...], tmp_path: Path
) -> None:
    make(server, slices, tmp_path)
    assert fetch_litert.make(tmp_path, server.url, slices, None) == [tmp_path / "CLiteRT.xcframework"]
    assert not (tmp_path / "LiteRtMetalAccelerator.xcframework").exists()


@pytest.mark.parametrize(
    "said", [b"<html>", b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n"]
)
def test_a_pin_that_is_none_is_refused(server: Server, slices: tuple[object, ...], tmp_path: Path, said: bytes) -> None:
    server.files["git/device/libLiteRtMetalAccelerator.dylib"] = said
    with pytest.raises(fetch_litert.FetchError, match="not what Git LFS keeps in a large file's place"):
        make(server, slices, tmp_path)


def test_an_accelerator_that_is_not_the_pinned_one_is_refused(
    server: Server, slices: tuple[object, ...], tmp_path: Path
) -> None:
    server.files["device/libLiteRtMetalAccelerator.dylib"] = b"other" * 300
    with pytest.raises(fetch_litert.FetchError, match="MetalAccelerator.dylib: not the pinned file"):
        make(server, slices, tmp_path)
    assert not list(tmp_path.glob("*.xcframework"))


def test_what_is_there_is_not_downloaded_again(server: Server, slices: tuple[object, ...], tmp_path: Path) -> None:
    for _ in range(2):
        make(server, slices, tmp_path)
    fetched = [path for path, _ in server.begins if not path.startswith("/git/")]
    assert len(fetched) == len(set(fetched)) == 3
    made = [".downloads", "CLiteRT.xcframework", "LiteRtMetalAccelerator.xcframework"]
    assert sorted(path.name for path in tmp_path.iterdir()) == made


@pytest.mark.parametrize("content", [b"other" * 600, b"device" * 499, b"device" * 500 + b"!", b""])
def test_what_is_not_the_pinned_file_is_refused_and_leaves_no_framework(
    server: Server, slices: tuple[object, ...], tmp_path: Path, content: bytes
) -> None:
    server.files["device/libLiteRt.dylib"] = content
    with pytest.raises(fetch_litert.FetchError, match=r"device/libLiteRt\.dylib: (not the pinned|the conn)"):
        make(server, slices, tmp_path)
    assert not (tmp_path / "CLiteRT.xcframework").exists()


def test_an_interrupted_download_goes_on_where_it_ended(
    server: Server, slices: tuple[object, ...], tmp_path: Path
) -> None:
    slices = slices[1:]  # no accelerator, so the runtime comes first
    server.hang_up_after = 1000
    with pytest.raises(fetch_litert.FetchError, match="1000 of 3600 bytes; run again"):
        make(server, slices, tmp_path)
    server.hang_up_after = None
    make(server, slices, tmp_path)
    assert server.begins == [("/sim/libLiteRt.dylib", 0), ("/sim/libLiteRt.dylib", 1000)]


def test_a_damaged_begun_file_is_thrown_away(server: Server, slices: tuple[object, ...], tmp_path: Path) -> None:
    library = slices[1].runtime  # type: ignore[attr-defined]
    (tmp_path / ".downloads").mkdir()
    (tmp_path / ".downloads" / f"{library.sha256}.part").write_bytes(b"?" * 100)
    with pytest.raises(fetch_litert.FetchError, match="not the pinned file"):
        fetch_litert.fetch(server.url, library, tmp_path / ".downloads")
    assert fetch_litert.fetch(server.url, library, tmp_path / ".downloads").read_bytes() == b"simulator" * 400


def test_an_older_framework_is_replaced_as_a_whole(server: Server, slices: tuple[object, ...], tmp_path: Path) -> None:
    target = tmp_path / "CLiteRT.xcframework"
    target.mkdir()
    (target / "old").touch()
    make(server, slices, tmp_path)
    assert not (target / "old").exists() and (target / "Info.plist").exists()


@pytest.mark.parametrize("source", ["http://127.0.0.1:9", "the server's, without the file"])
def test_where_it_cannot_be_had_the_error_says_what_to_do(server: Server, source: str, tmp_path: Path) -> None:
    library = fetch_litert.Library("missing.dylib", 1, "0" * 64)
    source = source if source.startswith("http") else server.url
    with pytest.raises(fetch_litert.FetchError, match=r"missing\.dylib: cannot be downloaded: .*Run this again"):
        fetch_litert.fetch(source, library, tmp_path)


def test_the_pins_are_of_one_commit_and_look_like_hashes() -> None:
    assert fetch_litert.COMMIT in fetch_litert.SOURCE and fetch_litert.COMMIT in fetch_litert.POINTERS
    libraries = [part.runtime for part in fetch_litert.SLICES]
    assert [library.size for library in libraries] == [8_068_840, 7_799_952]
    assert all(len(bytes.fromhex(library.sha256)) == 32 for library in libraries)
