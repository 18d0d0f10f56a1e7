# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: ``pytest --benchmark`` times models and functions; without the flag nothing of ours is timed.

pytest loads it in every run of an environment that has the package, so it imports next to nothing until the flag is
given, and touches no test that does not ask for it. See docs/pytest.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from harness.pytest_plugin.calls import RecordedClock
    from harness.pytest_plugin.models import Measured, Models
    from harness.session import Progress

_FIXTURES = frozenset({"harness_benchmark", "harness_timeit"})
_REASON = "timed only with --benchmark"
_PROFILES = ("quick", "normal", "submission")

_MODELS: pytest.StashKey[Models] = pytest.StashKey()
_CLOCK: pytest.StashKey[RecordedClock] = pytest.StashKey()
_TOGETHER: pytest.StashKey[dict[str, tuple[str, ...]]] = pytest.StashKey()
"""Node id of a test -> the targets that are timed beside its own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "benchmarks of segmentation models")
    group.addoption(
        "--benchmark",
        action="store_true",
        dest="harness_benchmark",
        help="Run the benchmarks of mobile-unet-harness, which are skipped otherwise.",
    )
    group.addoption(
        "--benchmark-model",
        metavar="PATH",
        dest="harness_model",
        help="Model folder or file for tests that name none.  [default: the shipped model]",
    )
    group.addoption(
        "--benchmark-suite",
        metavar="NAME|DIR",
        dest="harness_suite",
        help="Suite whose picture is timed, for tests that name none.  [default: portraits]",
    )
    group.addoption(
        "--benchmark-runtimes",
        metavar="A,B…",
        dest="harness_runtimes",
        help="What to time, each runtime[:variant][@target], such as keras,tflite:int8,core; the first one is the "
        "reference.  [default: every runtime that is installed and takes the model]",
    )
    group.addoption(
        "--benchmark-profile",
        choices=_PROFILES,
        default="quick",
        dest="harness_profile",
        help="How long to time.  [default: quick]",
    )
    group.addoption(
        "--benchmark-baseline",
        metavar="NAME|DIR",
        dest="harness_baseline",
        help="Hold what is measured against this baseline (harness baseline save): what became slower fails, and so "
        "does a mask that changed.",
    )
    group.addoption(
        "--benchmark-out",
        metavar="DIR",
        dest="harness_out",
        help="Where bundles, reports and pytest-benchmark's data go.  [default: reports/<time>-benchmark]",
    )
    parser.addini("harness_benchmark", "Skip tests marked `benchmark` unless --benchmark is given.", "bool", False)
    parser.addini("harness_benchmark_paths", "What --benchmark collects where no path is named.", "args", [])


@pytest.hookimpl(tryfirst=True)  # pytest-benchmark reads its options after it
def pytest_configure(config: pytest.Config) -> None:
    if not _asked(config):
        return
    _refuse_what_cannot_be(config)
    from harness.errors import HarnessError
    from harness.pytest_plugin import models

    option = config.option
    try:
        settings = models.settings(
            option.harness_model,
            option.harness_suite,
            option.harness_runtimes,
            option.harness_profile,
            option.harness_baseline,
            option.harness_out,
            ["pytest", *map(str, config.invocation_params.args)],
        )
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_MODELS] = models.Models(settings)
    # The flag asks for what a project's usual options may switch off.
    option.benchmark_skip, option.benchmark_disable = False, False
    if option.benchmark_json is None and not option.collectonly:
        option.benchmark_json = settings.folder / "pytest-benchmark.json"
    paths = config.getini("harness_benchmark_paths")
    if paths and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args[:] = [str(config.rootpath / path) for path in paths]


def _asked(config: pytest.Config) -> bool:
    return bool(config.option.harness_benchmark)


def _refuse_what_cannot_be(config: pytest.Config) -> None:
    option = config.option
    if not hasattr(option, "benchmark_json"):
        raise pytest.UsageError(
            "--benchmark needs the plugin pytest-benchmark, which is not loaded: omit -p no:benchmark"
        )
    if getattr(option, "numprocesses", None) or getattr(option, "dist", "no") != "no":
        raise pytest.UsageError(
            "--benchmark times one thing after another: tests that run beside each other would slow each other down; "
            "omit -n and --dist (or give -n 0)"
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per target, unless the test says itself which."""
    if "harness_benchmark" not in metafunc.fixturenames:
        return
    for mark in metafunc.definition.iter_markers("parametrize"):
        names = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        if "harness_benchmark" in (names.replace(",", " ").split() if isinstance(names, str) else names):
            return
    from harness import runtime

    named = _named(metafunc.config)
    metafunc.parametrize("harness_benchmark", named or list(runtime.registered()), indirect=True)


def _named(config: pytest.Config) -> list[str]:
    return [name.strip() for name in (config.option.harness_runtimes or "").split(",") if name.strip()]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _asked(config):
        marked = config.getini("harness_benchmark")
        for item in items:
            if _FIXTURES.intersection(getattr(item, "fixturenames", ())) or (
                marked and item.get_closest_marker("benchmark")
            ):
                item.add_marker(pytest.mark.skip(reason=_REASON))
        return
    from harness.pytest_plugin.calls import RecordedClock

    named = _named(config)
    others = [item for item in items if named and _target(item) not in (None, *named)]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    for item in items:
        if "harness_benchmark" in getattr(item, "fixturenames", ()):
            item.stash[_CLOCK] = clock = RecordedClock()
            given = item.get_closest_marker("benchmark")
            kwargs = {"group": item.nodeid.partition("[")[0], **(given.kwargs if given else {}), "timer": clock}
            item.add_marker(pytest.mark.benchmark(**kwargs), append=False)
            # Where it is not used, the test has failed and says why.
            item.add_marker(pytest.mark.filterwarnings("ignore:Benchmark fixture was not used"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Which targets are timed beside each other: those of one test function that are to run."""
    if not _asked(session.config):
        return
    together: dict[tuple[str, str], dict[str, None]] = {}
    keys = {item.nodeid: _function(item) for item in session.items if _target(item)}
    for item in session.items:
        if (target := _target(item)) is not None:
            together.setdefault(keys[item.nodeid], {})[target] = None
    session.config.stash[_TOGETHER] = {node: tuple(together[key]) for node, key in keys.items()}


def _target(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("harness_benchmark") if callspec else None


def _function(item: pytest.Item) -> tuple[str, str]:
    """What tests of one function with other parameters alike have in common."""
    others = {name: value for name, value in item.callspec.params.items() if name != "harness_benchmark"}  # type: ignore[attr-defined]
    return item.nodeid.partition("[")[0], repr(others)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """pytest-benchmark writes into the folder at the very end: it must be there, or be known to be impossible."""
    models = session.config.stash.get(_MODELS, None)
    if models is None or session.config.option.collectonly:
        return
    from harness.errors import HarnessError

    try:
        models.make_folder()
    except HarnessError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(trylast=True)  # below pytest-benchmark's table
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    models = config.stash.get(_MODELS, None)
    if models is None or config.option.collectonly:
        return
    lines = models.summary(terminalreporter.hasmarkup, terminalreporter._tw.fullwidth)
    if lines:
        terminalreporter.section("harness benchmark")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def harness_benchmark(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Callable[..., Measured]:
    """Times one target; called with keywords, it returns :class:`harness.pytest_plugin.models.Measured`.

    Every frame is a real one, timed in a worker process beside the other targets of the test: the first test of a
    function times all of them, and each one presents the frames of its own target to pytest-benchmark.

    Keywords, each with the option or the default of ``harness bench`` behind it: ``model`` (folder or file),
    ``suite``, ``frame`` (id of the case whose picture is timed), ``contract``, ``threads``, ``profile``.
    """
    if not _asked(request.config):
        pytest.skip(_REASON)
    if not hasattr(request, "param"):
        pytest.fail(
            "harness_benchmark must be an argument of the test: it makes one test of every target", pytrace=False
        )
    node, models, target = request.node, request.config.stash[_MODELS], request.param

    def measure(**options: Any) -> Measured:
        from harness.errors import HarnessError
        from harness.pytest_plugin import calls
        from harness.pytest_plugin.models import Unsuitable

        together = request.config.stash[_TOGETHER].get(node.nodeid, (target,))
        unsuitable = problem = ""
        try:
            with _progress(request.config) as progress:
                measured = models.measure(node.nodeid.partition("[")[0], together, target, options, progress)
        except Unsuitable as error:
            unsuitable = str(error)
        except HarnessError as error:
            problem = str(error)
        # Outside, so that the message is not followed by where it came from.
        if unsuitable:
            pytest.skip(unsuitable)
        if problem:
            pytest.fail(problem, pytrace=False)
        benchmark.extra_info.update(measured.facts())
        calls.present(benchmark, node.stash[_CLOCK], measured.seconds)
        if measured.objection:
            pytest.fail(measured.objection, pytrace=False)
        return measured

    return measure


@pytest.fixture
def harness_timeit(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Callable[..., Any]:
    """Times a function in this process, call by call: ``harness_timeit(function, *args, **kwargs)`` returns what it
    returns. It is warmed up until its times settle; the profile says for how long it is timed."""
    if not _asked(request.config):
        pytest.skip(_REASON)
    from harness.pytest_plugin import calls

    profile = request.config.option.harness_profile
    return lambda function, *args, **kwargs: calls.time_calls(benchmark, profile, function, args, kwargs)


@contextmanager
def _progress(config: pytest.Config) -> Iterator[Progress]:
    """Live progress on a terminal; else none, since it would stand between pytest's dots."""
    import contextlib
    import sys

    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        if sys.stderr.isatty():
            from harness.cli.progress import progress

            with progress() as report:
                yield report
        else:
            yield lambda label, activity, done, total: None
