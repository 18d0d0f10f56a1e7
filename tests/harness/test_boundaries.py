# SPDX-License-Identifier: Apache-2.0
"""What each module must not know, held against an import graph that is read from the sources."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "models_src", "rt_apps")
RUNNING = {
    "harness.request",
    "harness.runtime",
    "harness.session",
    "harness.worker",
    "harness.supervisor",
    "harness.targets",
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Import statements wherever they stand, inside functions too, but not what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            yield child
        elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        else:
            yield from statements(child)


@cache
def imports(module: str) -> frozenset[str]:
    """Full names of the modules that one module's statements import; of the project's own to the last part."""
    found: set[str] = set()
    for statement in statements(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        assert statement.level == 0, f"{module}: relative imports are not used here"
        origin = str(statement.module)
        for alias in statement.names:
            full = f"{origin}.{alias.name}"
            found.add(full if full in MODULES else origin)
    return frozenset(found)


def reachable(module: str) -> set[str]:
    """What is imported together with a module, by whatever it imports of the project."""
    found: set[str] = set()
    pending = [module, *(m for m in MODULES if m.startswith(f"{module}."))]
    while pending:
        for name in imports(pending.pop()) - found:
            found.add(name)
            if name in MODULES:
                pending.append(name)
    return found


def inside(names: set[str] | frozenset[str], package: str) -> set[str]:
    return {name for name in names if name == package or name.startswith(f"{package}.")}


def outside(names: set[str]) -> set[str]:
    """Top packages that are neither the project's nor Python's."""
    tops = {name.split(".")[0] for name in names}
    return tops - set(PACKAGES) - set(sys.stdlib_module_names)


def test_the_graph_sees_what_is_imported_where() -> None:
    # Without this the other tests could pass on an empty graph.
    assert {"harness.bundle", "harness.gates", "numpy"} <= imports("harness.compare")
    assert "harness.session" in reachable("harness.cli.compare")  # imported inside a function
    assert "pandas" not in imports("harness.cli")
    assert "harness.contract" in reachable("harness.compare")
    assert set(PACKAGES) <= set(MODULES)


# --- who knows whom ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[0] == "harness"])
def test_harness_imports_no_runtime_by_name(module: str) -> None:
    names = imports(module)

    foreign = [inside(names, p) for p in ("rt_apps", "models_src", "tensorflow", "keras", "tflite_runtime")]
    assert not any(foreign), f"{module} imports {foreign}"
    if not module.startswith("harness.runtimes"):
        assert not inside(names, "harness.runtimes")


def test_statistics_know_numbers_only() -> None:
    for module in ("harness.stats", "harness.jackknife"):
        assert not inside(reachable(module), "harness")
        assert outside(reachable(module)) <= {"numpy", "scipy"}


def test_parity_knows_no_clocks() -> None:
    reached = reachable("harness.parity")

    assert not reached & {"time", "timeit", "datetime", "sched", "harness.measure", "harness.latency", "harness.stats"}
    assert inside(reached, "harness") <= {"harness.contract", "harness.metrics"}


@pytest.mark.parametrize(
    "module",
    [f"harness.{name}" for name in ("compare", "report", "runs", "gates", "baseline", "baseline_check", "history")],
)
def test_comparing_and_reporting_never_reach_a_live_runtime(module: str) -> None:
    reached = reachable(module)

    assert not reached & RUNNING
    assert not inside(reached, "harness.runtimes")
    assert "ai_edge_litert" not in outside(reached)


@pytest.mark.parametrize(
    "module", ["harness.runtime", *(m for m in MODULES if m.startswith("harness.runtimes.")), "rt_apps.rtpy.runtime"]
)
def test_a_runtime_knows_no_statistics_and_no_verdicts(module: str) -> None:
    knows = inside(reachable(module), "harness")

    assert knows <= {"harness", "harness.contract", "harness.errors", "harness.runtime", "harness.pictures"}


def test_a_worker_carries_numpy_opencv_and_the_runtime_alone() -> None:
    reached = reachable("harness.worker")

    assert outside(reached) <= {"numpy", "cv2", "tomli", "tomllib"}
    assert inside(reached, "harness") <= {
        "harness.contract",
        "harness.errors",
        "harness.files",
        "harness.pictures",
        "harness.runtime",
    }


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("harness.contract", {"numpy", "tomli", "tomllib"}),
        ("harness.frames", {"numpy"}),
        ("harness.metrics", {"numpy", "cv2"}),
        ("harness.verdict", set()),
        ("harness.errors", set()),
        ("harness.conditions", set()),
        ("harness.comparison", set()),
        ("harness.measure", set()),
    ],
)
def test_definitions_need_little(module: str, allowed: set[str]) -> None:
    assert outside(reachable(module)) <= allowed


def test_a_bundle_holds_facts_and_knows_no_verdicts() -> None:
    assert not reachable("harness.bundle") & {"harness.verdict", "harness.gates", "harness.compare"}


@pytest.mark.parametrize("package", ["models_src", "rt_apps"])
def test_training_and_applications_do_not_judge(package: str) -> None:
    for module in (m for m in MODULES if m.split(".")[0] == package):
        assert not imports(module) & (RUNNING - {"harness.runtime"} | {"harness.compare", "harness.gates"}), module


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("rt_apps.rtpy")])
def test_the_python_application_runs_keras_alone(module: str) -> None:
    others = [inside(imports(module), p) for p in ("segcore", "harness.runtimes", "ai_edge_litert", "tflite_runtime")]

    assert not any(others), f"{module} imports {others}"


def test_figures_of_a_camera_application_know_no_verdicts_and_no_models() -> None:
    assert inside(reachable("harness.live"), "harness") <= {
        "harness.bundle",
        "harness.bundle_files",
        "harness.comparison",  # the form of its result
        "harness.conditions",
        "harness.errors",
        "harness.files",
        "harness.jackknife",
        "harness.live",
        "harness.printable",  # the words of a bundle's errors
        "harness.stats",
        "harness.verdict",  # imported by the form
    }


def test_the_definitions_exist_once() -> None:
    copies = {
        f"{module}.{node.name}"
        for module, path in MODULES.items()
        if module not in ("harness.contract", "harness.metrics")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.name.lstrip("_")
        in {"resize", "fit_image", "normalise", "normalize", "quantise", "boundary_iou", "boundary_band", "psnr"}
    }

    assert not copies


def test_no_modules_import_each_other() -> None:
    cycles = [m for m in MODULES if m in reachable_by_import(m)]

    assert not cycles


def reachable_by_import(module: str) -> set[str]:
    """What importing a module itself leads to, without the modules below it."""
    found: set[str] = set()
    pending = [module]
    while pending:
        for name in (imports(pending.pop()) & set(MODULES)) - found:
            found.add(name)
            pending.append(name)
    return found


# --- what a command loads ------------------------------------------------------------------------

WATCH = """
import json, sys
from harness.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""
HEAVY = {"tensorflow", "keras", "jax", "torch", "albumentations"}


def loaded_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", WATCH, *arguments]
    child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(child.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments",
    [("runtimes",), ("suite", "list"), ("run", "--help"), ("compare", "--help"), ("report", "--help")],
    ids=" ".join,
)
def test_a_command_that_needs_no_tensorflow_imports_none(arguments: tuple[str, ...]) -> None:
    assert not loaded_by(*arguments) & HEAVY


def test_help_loads_next_to_nothing() -> None:
    assert loaded_by("--help") & (HEAVY | {"numpy", "cv2", "pandas", "scipy", "ai_edge_litert", "jsonschema"}) == set()
