"""The state of one pytest process, as its records report it, and the cases made from it."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from orchestrator.models import Case, CaseOutcome, Raised
from orchestrator.platform import files
from orchestrator.suites.pytest.excerpts import shorten_detail, shorten_message
from orchestrator.suites.pytest.node_ids import (
    extract_file_part,
    extract_function_part,
    rebase_id,
)
from orchestrator.suites.pytest.verdict import UNFINISHED_MESSAGE

Record = dict[str, Any]
"""One record of the plugin; see `plugin/orchestrator_suite_parts/reporting.py`."""


class Phase(StrEnum):
    """The phases of a case, as pytest names them in `when`."""

    SETUP = "setup"
    CALL = "call"
    TEARDOWN = "teardown"


_PHASES: Final = frozenset(Phase)


@dataclass(frozen=True)
class CaseLocation:
    """Where a case is defined, as pytest reports it."""

    file_id: str
    path: Path
    function: str = ""
    definer: str = ""


@dataclass
class PytestSession:
    """One pytest process that reported; a command may run several, one after the other.

    Args:
        workspace: where pytest is started; ids of cases are relative to it.
    """

    workspace: Path
    next_number: int = 0
    """The number that the next record must have."""
    start: Record | None = None
    finish: Record | None = None
    has_gap: bool = False
    """Whether a record is missing, or came out of order."""
    interrupted: bool = False
    collected: dict[str, None] = field(default_factory=dict)
    running: dict[str, None] = field(default_factory=dict)
    phases: dict[str, list[Record]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    """The case of each node, by its last result."""
    _locations: dict[str, CaseLocation] = field(default_factory=dict)
    _function_locations: dict[str, CaseLocation] = field(default_factory=dict)
    """Where one case of each function is defined, by the function's id."""

    @property
    def has_collected(self) -> bool:
        """Whether it has finished collecting."""
        return bool(self.finish and self.finish["collected"])

    @property
    def stop_reason(self) -> str:
        """Why it stopped itself before all cases had run, if it did."""
        return shorten_message(self.finish["stopped"]) if self.finish else ""

    @property
    def root(self) -> Path:
        """The folder that node ids are relative to."""
        return Path(self.start["root"]) if self.start else self.workspace

    def check_number(self, number: int) -> None:
        """Note a gap if this is not the number of the next record."""
        self.has_gap = self.has_gap or number != self.next_number
        self.next_number = number + 1

    def add_location(self, node: str, location: CaseLocation) -> None:
        """Store where a case is defined, by its node id."""
        self._locations[node] = location
        if location.function:
            self._function_locations[location.function] = location

    def resolve_id(self, node: str) -> str:
        """Return the id that selects a case from the workspace."""
        location = self._find_location(node)
        if not location.file_id:
            return node
        return rebase_id(node, location.file_id, location.path, self.workspace)

    def build_file_case(self, node: str, path: Path, record: Record) -> Case:
        """Return the failing case for a file that could not be collected."""
        own = rebase_id("", "", path, self.workspace)
        case_id = rebase_id(node, extract_file_part(node), path, self.workspace) if node else own
        return Case(
            case_id if files.exists(path) else node or own,
            CaseOutcome.ERROR,
            0.0,
            shorten_message(record["message"]),
            shorten_detail(record["text"]),
            file=own if files.is_file(path) else "",
            function=case_id,
            raised=_parse_exceptions(record["raised"]),
            collecting=True,
        )

    def build_case(self, node: str, *, passed: bool) -> Case:
        """Return a case from the phases that it reported, and forget these."""
        phases = self.phases.pop(node, [])
        location = self._find_location(node)
        failing = [phase for phase in phases if phase["outcome"] == "failed"]
        # A phase that simply passed sends no record. What else was recorded explains a skip, but
        # not a pass.
        relevant = failing or ([] if passed else phases)
        raised = [each for phase in relevant for each in _parse_exceptions(phase["raised"])]
        case_id = self.resolve_id(node)
        return Case(
            case_id,
            _judge_phases(failing, passed=passed),
            0.0,
            _join_messages(failing, relevant),
            shorten_detail("\n\n".join(filter(None, (phase["text"] for phase in relevant)))),
            file=self._find_defining_file(location),
            function=self._rebase_function(location) or extract_function_part(case_id),
            raised=tuple(raised),
        )

    def _find_location(self, node: str) -> CaseLocation:
        """Return where a case is defined; if its process died, as far as its id shows."""
        if node in self._locations:
            return self._locations[node]
        function = extract_function_part(node)
        if function in self._function_locations:
            return self._function_locations[function]
        file = extract_file_part(node)
        if not files.exists(self.root / file):
            return CaseLocation("", self.root)
        return CaseLocation(file, self.root / file, function)

    def _find_defining_file(self, location: CaseLocation) -> str:
        if not location.file_id:
            return ""
        definer = Path(location.definer) if location.definer else location.path
        return rebase_id("", "", definer, self.workspace)

    def _rebase_function(self, location: CaseLocation) -> str:
        if not location.function:
            return ""
        return rebase_id(location.function, location.file_id, location.path, self.workspace)


def parse_location(values: list[str]) -> CaseLocation:
    """Parse a location as the plugin sends it."""
    file_id, path, function, definer = values
    return CaseLocation(file_id, Path(path), function, definer)


def _judge_phases(failing: list[Record], *, passed: bool) -> CaseOutcome:
    if failing:
        return CaseOutcome.FAILED if failing[0]["when"] == Phase.CALL else CaseOutcome.ERROR
    return CaseOutcome.PASSED if passed else CaseOutcome.SKIPPED


def _join_messages(failing: list[Record], relevant: list[Record]) -> str:
    # xdist reports a worker that died as a phase that pytest does not have, "???".
    died = any(phase["when"] not in _PHASES for phase in failing)
    messages = [UNFINISHED_MESSAGE] if died else []
    messages += [phase["message"] for phase in relevant]
    return shorten_message("\n".join(filter(None, messages)))


def _parse_exceptions(chain: list[Any]) -> tuple[Raised, ...]:
    return tuple(Raised(name, shorten_message(text), tuple(files)) for name, text, files in chain)
