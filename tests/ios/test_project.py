# SPDX-License-Identifier: Apache-2.0
"""What Xcode will read is whole: the project's files and ids, the asset catalogue, the languages, the carried files.

No Apple tool is needed here. What the Swift toolchain can say besides is in tests/system/test_ios_toolchain.py.
"""

from __future__ import annotations

import json
import os
import plistlib
import re
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

IOS = Path(__file__).parents[2] / "ios"
PROJECT = (IOS / "RTIOS.xcodeproj/project.pbxproj").read_text(encoding="utf-8")
SCHEME = IOS / "RTIOS.xcodeproj/xcshareddata/xcschemes/RTIOS.xcscheme"
APPLE_ONLY = "Not compiled on Linux"


def test_every_file_that_the_project_names_exists() -> None:
    named = re.findall(r'\bpath = ([^;]+); sourceTree = "<group>"', PROJECT)
    groups = re.findall(r"isa = PBXFileSystemSynchronizedRootGroup;.*?\bpath = ([^;]+);", PROJECT, re.DOTALL)
    scripts = re.findall(r"\$SRCROOT/([\w./]+)", PROJECT)
    plists = re.findall(r"\tINFOPLIST_FILE = ([^;]+);", PROJECT)
    packages = re.findall(r"relativePath = ([^;]+);", PROJECT)
    assert len(named) == 3 and len(groups) == 2 and scripts and plists and packages == [".."]
    for name in [*named, *groups, *scripts, *plists]:
        assert (IOS / name).exists(), name
    assert (IOS / packages[0] / "Package.swift").exists()


def test_every_id_that_is_used_is_defined_once() -> None:
    defined = re.findall(r"^\t\t([0-9A-F]{24})(?: /\*.*?\*/)? = \{", PROJECT, re.MULTILINE)
    used = set(re.findall(r"\b[0-9A-F]{24}\b", PROJECT))
    assert len(defined) == len(set(defined))
    assert used == set(defined)


def test_the_products_are_those_of_the_package() -> None:
    manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
    products = set(re.findall(r'\.library\(name: "(\w+)"', manifest))
    assert set(re.findall(r"productName = (\w+Kit);", PROJECT)) <= products


def test_the_tests_link_nothing_of_the_package() -> None:
    """Xcode refuses a package that a test bundle and its host both link; what the host holds, it must then keep."""
    targets = dict(
        re.findall(r"^\t\t\w+ /\* (\w+) \*/ = \{\n\t\t\tisa = PBXNativeTarget;(.*?)^\t\t\};", PROJECT, re.M | re.S)
    )
    linking = {name for name, facts in targets.items() if "packageProductDependencies" in facts}
    assert len(targets) == 2 and linking == {"RTIOS"}
    assert "DEAD_CODE_STRIPPING = NO\n" in (IOS / "RTIOS.xcconfig").read_text(encoding="utf-8")


def test_package_pods_and_application_have_one_version() -> None:
    manifest = (IOS.parent / "Package.swift").read_text(encoding="utf-8")
    versions = set(re.findall(r'^let version = "(.+)"', manifest, re.MULTILINE))
    versions |= set(re.findall(r"MARKETING_VERSION = ([^;]+);", PROJECT))
    for pod in ("CSegCore", "SegKit"):
        versions |= set(
            re.findall(r"spec\.version = '(.+)'", (IOS.parent / f"{pod}.podspec").read_text(encoding="utf-8"))
        )
    assert len(versions) == 1


def test_the_scheme_builds_for_release_without_a_debugger_and_names_the_projects_targets() -> None:
    scheme = ElementTree.parse(SCHEME).getroot()
    for action in ("TestAction", "LaunchAction"):
        element = scheme.find(action)
        assert element is not None
        assert element.get("buildConfiguration") == "Release" and element.get("selectedDebuggerIdentifier") == ""
    for target in scheme.iter("BuildableReference"):
        assert f"{target.get('BlueprintIdentifier')} /* {target.get('BlueprintName')} */ = {{" in PROJECT


def test_what_only_apples_sdk_compiles_is_marked_and_below_800_lines() -> None:
    marked = {path for path in IOS.rglob("*.swift") if APPLE_ONLY in path.read_text(encoding="utf-8")[:300]}
    adapters = {*(IOS / "RTIOS").rglob("*.swift"), *(IOS / "RTIOSBenchmarks").rglob("*.swift")}
    assert adapters <= marked
    unguarded = [path for path in marked - adapters if not re.search(r"^#if canImport", path.read_text(), re.MULTILINE)]
    assert not unguarded
    assert sum(code_lines(path) for path in marked) < 800


def code_lines(path: Path) -> int:
    """Lines that are neither empty nor a comment."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return sum(bool(line) and not line.startswith("//") for line in lines)


def test_the_catalogues_pictures_exist_in_their_sizes_and_without_transparency() -> None:
    catalogue = IOS / "RTIOS/Assets.xcassets"
    pictures = []
    for contents in catalogue.rglob("Contents.json"):
        facts = json.loads(contents.read_text(encoding="utf-8"))
        assert facts["info"] == {"author": "xcode", "version": 1}
        for image in facts.get("images", []):
            picture = contents.parent / image["filename"]
            header = picture.read_bytes()[:26]
            assert header.startswith(b"\x89PNG\r\n\x1a\n")
            width, height, _, colour = struct.unpack(">IIBB", header[16:26])
            assert image["size"] == f"{width}x{height}" and colour == 2  # RGB without alpha
            pictures.append(picture)
    assert set(catalogue.rglob("*.png")) == set(pictures) and pictures
    assert {path.stem for path in catalogue.iterdir() if path.is_dir()} == set(
        re.findall(r"ASSETCATALOG_COMPILER_\w+_NAME = (\w+);", PROJECT)
    )


@pytest.mark.parametrize("table", ["Localizable.strings", "InfoPlist.strings"])
def test_english_and_spanish_have_the_same_keys_and_gaps(table: str) -> None:
    english, spanish = (read_strings(IOS / f"RTIOS/{language}.lproj/{table}") for language in ("en", "es"))
    assert english.keys() == spanish.keys() and english
    for key in english:
        assert sorted(re.findall(r"\{\d\}", english[key])) == sorted(re.findall(r"\{\d\}", spanish[key])), key


def read_strings(path: Path) -> dict[str, str]:
    return dict(re.findall(r'^"([^"]+)" = "([^"]*)";$', path.read_text(encoding="utf-8"), re.MULTILINE))


def test_the_application_says_why_it_asks_and_shares_its_documents() -> None:
    facts = plistlib.loads((IOS / "RTIOS/Info.plist").read_bytes())
    asked = {key for key in facts if key.endswith("UsageDescription")}
    assert asked == {"NSCameraUsageDescription", "NSPhotoLibraryAddUsageDescription"}
    for language in facts["CFBundleLocalizations"]:
        assert read_strings(IOS / f"RTIOS/{language}.lproj/InfoPlist.strings").keys() == asked
    assert facts["UIFileSharingEnabled"] and facts["LSSupportsOpeningDocumentsInPlace"]
    privacy = plistlib.loads((IOS / "RTIOS/PrivacyInfo.xcprivacy").read_bytes())
    assert privacy["NSPrivacyTracking"] is False and privacy["NSPrivacyCollectedDataTypes"] == []


def test_the_icon_is_what_its_script_draws(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(IOS / "scripts/draw_icon.py"), str(tmp_path / "icon.png")], check=True)
    kept = cv2.imread(str(IOS / "RTIOS/Assets.xcassets/AppIcon.appiconset/icon.png"))
    assert np.array_equal(cv2.imread(str(tmp_path / "icon.png")), kept)


def make_resources(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(IOS / "scripts/resources.py"), "--out", str(out), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def copy_resources(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "SRCROOT": str(source),
        "TARGET_BUILD_DIR": str(target),
        "UNLOCALIZED_RESOURCES_FOLDER_PATH": "A.app",
    }
    script = str(IOS / "scripts/copy_resources.sh")
    return subprocess.run([script], env=os.environ | environment, capture_output=True, text=True, check=False)


def test_the_application_carries_the_shipped_suite_packed_and_the_shipped_model(tmp_path: Path) -> None:
    stale = tmp_path / "build/A.app/Models/stale"
    stale.mkdir(parents=True)
    made = make_resources(tmp_path / "Resources")
    assert made.returncode == 0, made.stderr
    done = copy_resources(tmp_path, tmp_path / "build")
    assert done.returncode == 0 and not stale.exists(), done.stderr
    app = tmp_path / "build/A.app"
    suite = json.loads((app / "Suites/portraits/suite.json").read_text(encoding="utf-8"))
    assert suite["cases"] and all(
        (app / "Suites/portraits" / case["image"]["file"]).exists() for case in suite["cases"]
    )
    variants = {path.name for path in (app / "Models/portrait").glob("*.tflite")}
    assert variants == {f"model.{variant}.tflite" for variant in ("fp32", "fp16", "dyn8", "int8")}
    assert not list((app / "Models").rglob("*.keras"))


def test_a_build_without_suites_and_models_says_what_to_run(tmp_path: Path) -> None:
    done = copy_resources(tmp_path, tmp_path / "build")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and "ios/scripts/resources.py" in done.stderr


@pytest.mark.parametrize("arguments", [("--suite", "no-such-suite"), ("--model", "no/such/model")])
def test_what_cannot_be_carried_is_one_clear_error(tmp_path: Path, arguments: tuple[str, str]) -> None:
    done = make_resources(tmp_path, *arguments)
    assert done.returncode == 1
    assert arguments[1] in done.stderr and "Traceback" not in done.stderr
