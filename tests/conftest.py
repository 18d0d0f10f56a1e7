# SPDX-License-Identifier: Apache-2.0
"""What all tests share.

In CI a skipped test must give a reason that ``allowed-skips.txt`` lists. Property tests try the same examples
every time, and have no deadline: on a busy machine it would measure the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

ALLOWED_SKIPS = Path(__file__).parent / "allowed-skips.txt"


def allowed_reasons() -> list[str]:
    """Shell patterns of the reasons for which a test may be skipped in CI."""
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def unlisted_skips(reports: list[pytest.TestReport]) -> Iterator[str]:
    """Each skipped test whose reason is not listed."""
    patterns = allowed_reasons()
    for report in reports:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not any(fnmatchcase(reason, pattern) for pattern in patterns):
            yield f"{report.nodeid}: {reason}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or hasattr(session.config, "workerinput"):
        return
    session.config.unlisted_skips = list(unlisted_skips(reporter.stats.get("skipped", [])))  # type: ignore[attr-defined]
    if session.config.unlisted_skips and session.exitstatus == pytest.ExitCode.OK:  # type: ignore[attr-defined]
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in getattr(config, "unlisted_skips", []):
        terminalreporter.write_line(f"skip not listed in {ALLOWED_SKIPS.name}: {line}", red=True)
