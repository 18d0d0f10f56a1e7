# SPDX-License-Identifier: Apache-2.0
"""What a session is asked for, and whether it can be met: everything it names is looked up before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness import model_file, runtime, suite, targets
from harness.errors import HarnessError
from harness.supervisor import WorkerFailure

LANES = ("tensor", "image")  # in the order they are run


class Named(NamedTuple):
    """A runtime with a model of its own, under a name of its own."""

    label: str
    spec: str
    model: str
    contract: str | None


@dataclass(frozen=True)
class Request:
    """What to run; the same for every runtime of a session.

    Attributes:
        specs: runtimes as named on the command line.
        model: model folder or file.
        suite: id of a shipped suite, or a suite's folder.
        contract: contract file for a model that carries none.
        named: runs that are no runtime of ``model``, by the names that ``specs`` has for them.
        timeout: seconds that one inference or model load may take.
        memory_limit_mb: resident memory a worker may use; None for no limit.
        stages: keep what lies between the stages of the image lane.
        parity: run every case; else only time.
        frame: id of the case that is timed; None for the one of middle size.
        paced, sustained: see :class:`harness.timing.Plan`.
    """

    specs: tuple[str, ...]
    model: str
    suite: str
    lanes: tuple[str, ...] = LANES
    profile: str = "normal"
    threads: int = 1
    delegate: str = "cpu"
    contract: str | None = None
    timeout: float = 120.0
    memory_limit_mb: int | None = None
    stages: bool = False
    parity: bool = True
    frame: str | None = None
    paced: tuple[float, ...] = ()
    sustained: float = 0.0
    named: tuple[Named, ...] = ()

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Request:
        """The request as a bundle carries it, to go on with."""
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}
        return cls(**{**values, "named": tuple(Named(*entry) for entry in table.get("named", ()))})

    def meant(self, label: str) -> Named:
        """What a name among ``specs`` stands for."""
        found = next((entry for entry in self.named if entry.label == label), None)
        return found or Named(label, label, self.model, self.contract)

    def plan(self) -> Plan:
        """Look up everything the request names.

        Raises:
            HarnessError: an unknown runtime, no such model or suite, a model without contract, …
        """
        cases = suite.find(self.suite)
        timed_case(self, cases)
        arms = [find_arm(self, spec, order) for order, spec in enumerate(_unique(self.specs))]
        return Plan(self, cases, _feed_contract(self), arms)


@dataclass(frozen=True)
class Arm:
    """One runtime of a session.

    Attributes:
        order: its place on the command line.
        problem: why it cannot be run at all; a matter of this runtime alone.
    """

    order: int
    label: str
    spec: runtime.Spec
    model: model_file.ModelFile | None
    problem: WorkerFailure | None


@dataclass(frozen=True)
class Plan:
    """A request that can be met: everything it names is there."""

    request: Request
    cases: suite.Suite
    feed: str
    arms: list[Arm]


def _unique(specs: tuple[str, ...]) -> Iterator[str]:
    seen: set[str] = set()
    for spec in specs:
        if spec in seen:
            raise HarnessError(f"runtime {spec!r} is named twice")
        seen.add(spec)
        yield spec


def find_arm(request: Request, text: str, order: int) -> Arm:
    """Look a runtime and its model file up. Typing errors end the session before it begins; a runtime that is not
    installed or a damaged file is this arm's problem alone.

    Raises:
        HarnessError: there is no such runtime, target or model, or the two do not fit.
    """
    meant = request.meant(text)
    spec = runtime.parse_spec(meant.spec)
    targets.check(spec.target)
    kind = runtime.find(spec.runtime)
    problem = None
    availability = kind.availability()
    if spec.target is None and availability.version is None:
        problem = WorkerFailure("runtime", f"{spec.runtime} is not installed: {availability.remedy}")
    try:
        model = model_file.find(meant.model, spec.variant, meant.contract)
    except model_file.DamagedModelError as error:
        model, problem = None, WorkerFailure("model", str(error))
    if model is not None and model.format not in kind.formats:
        raise HarnessError(f"{text}: {model.path.name} is no model for it; it takes {', '.join(kind.formats)}")
    return Arm(order, text, spec, model, problem)


def timed_case(request: Request, cases: suite.Suite) -> suite.Case:
    """The case whose picture is timed: the one that is named, or the one of middle size.

    Raises:
        HarnessError: there is no case of that name.
    """
    if request.frame is not None:
        found = next((case for case in cases.cases if case.id == request.frame), None)
        if found is None:
            raise HarnessError(f"suite {cases.id!r} has no case {request.frame!r}: harness suite show {cases.id}")
        return found
    by_size = sorted(cases.cases, key=lambda case: case.height * case.width)
    return by_size[len(by_size) // 2]


def _feed_contract(request: Request) -> str:
    """The contract that the tensor lane's input is made by: one for all runtimes, the first one's model's."""
    first = request.meant(request.specs[0])
    model = Path(first.model)
    for source in (first.contract, model / "contract.toml" if model.is_dir() else None):
        if source is not None and Path(source).is_file():
            return Path(source).read_text(encoding="utf-8")
    return model_file.find(first.model, runtime.parse_spec(first.spec).variant, first.contract).contract_text
