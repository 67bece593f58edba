"""The records of the plugin, as they come, turned into a report."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.footprint import Footprint
from orchestrator.models import Case, CaseOutcome, Raised, SuiteOutcome, SuiteReport
from orchestrator.suites.command_line import CommandLine, Ended
from orchestrator.suites.pytest.footprint import build_footprint
from orchestrator.suites.pytest.selecting import file_part, rebase
from orchestrator.suites.pytest.verdict import UNFINISHED, Records, judge

DETAIL_BOUND: Final = 20_000
"""Characters of a traceback that a case keeps: half from its start, half from its end."""

MESSAGE_BOUND: Final = 2_000


@dataclass
class _Session:
    """One pytest process that reported: a command may run several, one after the other."""

    number: int = 0
    """Of the record that comes next."""
    start: dict[str, Any] | None = None
    finish: dict[str, Any] | None = None
    gap: bool = False
    interrupted: bool = False


@dataclass(frozen=True)
class _Place:
    """Where a case is defined, by pytest's own word."""

    file_id: str
    path: Path
    function: str = ""
    definer: str = ""


@dataclass
class ReportReader:
    """Takes records line by line, notifies of each case that ends, and makes the report.

    Args:
        nonce: the secret of this run; a line without it is not a record.
        workspace: where pytest is started; ids are relative to it.
        on_event: hears of each case as it ends.
    """

    nonce: str
    workspace: Path
    on_event: Listener
    _sessions: dict[int, _Session] = field(default_factory=dict)
    _places: dict[str, _Place] = field(default_factory=dict)
    _collected: dict[str, None] = field(default_factory=dict)
    _running: dict[str, None] = field(default_factory=dict)
    _phases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _cases: dict[str, Case] = field(default_factory=dict)
    _gathered: list[dict[str, Any]] = field(default_factory=list)
    _reach: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    _internal: str = ""
    _broken_conftest: bool = False
    _strange: int = 0

    def take(self, line: bytes) -> None:
        """Take one line of the stream."""
        try:
            record = json.loads(line)
            authentic = record["nonce"] == self.nonce
            session = self._sessions.setdefault(record["process"], _Session())
            handle = getattr(self, f"_take_{record['kind']}", None) if authentic else None
            if handle is None:
                self._strange += 1
                return
            session.gap = session.gap or record["number"] != session.number
            session.number = record["number"] + 1
            handle(record, session)
        except (ValueError, KeyError, TypeError, IndexError):
            self._strange += 1

    # ---- the records -----------------------------------------------------------------------

    def _take_load(self, record: dict[str, Any], session: _Session) -> None:
        """Nothing: that the plugin was loaded is all that it says."""

    def _take_start(self, record: dict[str, Any], session: _Session) -> None:
        session.start = record

    def _take_broken(self, record: dict[str, Any], session: _Session) -> None:
        self._broken_conftest = True
        path = Path(record["path"])
        self._end(replace(self._failed_file("", path, record), outcome=CaseOutcome.ERROR))

    def _take_collected(self, record: dict[str, Any], session: _Session) -> None:
        places = [_place(each) for each in record["places"]]
        for node, at in zip(record["ids"], record["at"] or [-1] * len(record["ids"]), strict=True):
            self._collected[node] = None
            if at >= 0:
                self._places[node] = places[at]

    def _take_place(self, record: dict[str, Any], session: _Session) -> None:
        self._places.setdefault(record["id"], _place(record["place"]))

    def _take_begin(self, record: dict[str, Any], session: _Session) -> None:
        self._running[record["id"]] = None

    def _take_report(self, record: dict[str, Any], session: _Session) -> None:
        self._phases.setdefault(record["id"], []).append(record)

    def _take_end(self, record: dict[str, Any], session: _Session) -> None:
        node = record["id"]
        self._running.pop(node, None)
        case = self._case(node, self._phases.pop(node, []), passed=record["passed"])
        self._end(replace(case, seconds=record["seconds"]), node)

    def _take_uncollected(self, record: dict[str, Any], session: _Session) -> None:
        root = Path(session.start["root"]) if session.start else self.workspace
        path = root / file_part(record["id"])
        outcome = CaseOutcome.SKIPPED if record["outcome"] == "skipped" else CaseOutcome.ERROR
        self._end(replace(self._failed_file(record["id"], path, record), outcome=outcome))

    def _take_internal(self, record: dict[str, Any], session: _Session) -> None:
        self._internal = self._internal or _short(record["message"])

    def _take_interrupted(self, record: dict[str, Any], session: _Session) -> None:
        session.interrupted = True

    def _take_footprint(self, record: dict[str, Any], session: _Session) -> None:
        self._gathered.append(record)

    def _take_reach(self, record: dict[str, Any], session: _Session) -> None:
        files = record["files"]
        sets = [
            (tuple(files[each] for each in reached), tuple(names))
            for reached, names in record["sets"]
        ]
        for node, at in record["cases"].items():
            self._reach[self._id(node)] = sets[at]

    def _take_finish(self, record: dict[str, Any], session: _Session) -> None:
        session.finish = record

    # ---- cases -----------------------------------------------------------------------------

    def _id(self, node: str) -> str:
        place = self._place_of(node)
        return rebase(node, place.file_id, place.path, self.workspace) if place.file_id else node

    def _place_of(self, node: str) -> _Place:
        if node in self._places:
            return self._places[node]
        starts = [each.start for each in self._sessions.values() if each.start]
        root = Path(starts[-1]["root"]) if starts else self.workspace
        file = file_part(node)
        return _Place(file, root / file) if (root / file).exists() else _Place("", root)

    def _end(self, case: Case, node: str = "") -> None:
        known = self._cases.get(node or case.id)
        self._cases[node or case.id] = case
        if known is None:  # a command may run a case in two sessions: the last one counts
            self.on_event(CaseFinished(case))

    def _failed_file(self, node: str, path: Path, record: dict[str, Any]) -> Case:
        own = rebase("", "", path, self.workspace)
        case_id = rebase(node, file_part(node), path, self.workspace) if node else own
        return Case(
            case_id if path.exists() else node or own,
            CaseOutcome.ERROR,
            0.0,
            _short(record["message"]),
            _bounded(record["text"]),
            file=own if path.is_file() else "",
            function=case_id,
            raised=_raised(record["raised"]),
            collecting=True,
        )

    def _case(self, node: str, phases: list[dict[str, Any]], *, passed: bool) -> Case:
        place = self._place_of(node)
        case_id = self._id(node)
        failing = [phase for phase in phases if phase["outcome"] == "failed"]
        if failing:
            first = failing[0]["when"]
            outcome = CaseOutcome.FAILED if first == "call" else CaseOutcome.ERROR
        else:
            outcome = CaseOutcome.PASSED if passed else CaseOutcome.SKIPPED
        speaking = failing or ([] if passed else phases)
        dead = any(phase["when"] not in ("setup", "call", "teardown") for phase in failing)
        words = [UNFINISHED] if dead else []
        words += [phase["message"] for phase in speaking]
        function = place.function
        if function:
            function = rebase(function, place.file_id, place.path, self.workspace)
        definer = Path(place.definer) if place.definer else place.path
        return Case(
            case_id,
            outcome,
            0.0,
            _short("\n".join(filter(None, words))),
            _bounded("\n\n".join(filter(None, (phase["text"] for phase in speaking)))),
            file=rebase("", "", definer, self.workspace) if place.file_id else "",
            function=function or case_id,
            raised=tuple(each for phase in speaking for each in _raised(phase["raised"])),
        )

    # ---- the whole -------------------------------------------------------------------------

    def report(self, line: CommandLine, ended: Ended) -> SuiteReport:
        """Make the report of a command that has ended."""
        running = list(self._running)
        unfinished = {self._id(node) for node in running}
        for node in running:
            case = self._case(node, self._phases.pop(node, []), passed=False)
            message = _short("\n".join(filter(None, (UNFINISHED, case.message))))
            detail = case.detail or f"{case.id}: {UNFINISHED}"
            self._running.pop(node)
            self._end(
                replace(case, outcome=CaseOutcome.ERROR, message=message, detail=detail), node
            )
        cases = tuple(self._with_reach(case) for case in self._cases.values())
        records = self._records(running)
        outcome, message = ended.outcome, ended.message
        if outcome is None and ended.exit_code is not None:
            over = tuple(case for case in cases if case.id not in unfinished)
            outcome, message = judge(ended.exit_code, over, records)
        first = self._id(running[0]) if running else ""
        if first:
            message += f", while {first} was running"
        report = replace(ended, message=message).report(
            line, outcome or SuiteOutcome.CRASHED, cases
        )
        complete = records.finished and not records.missing and not running
        return replace(report, complete=complete, running=first, forged=self._forged())

    def footprint(self) -> Footprint | None:
        """Return the footprint, where the suite was observed to its end."""
        starts = [each.start for each in self._sessions.values() if each.start]
        reach = {case: files for case, (files, _names) in self._reach.items()}
        return build_footprint(starts, self._gathered, reach)

    def _with_reach(self, case: Case) -> Case:
        if not case.failing or case.id not in self._reach:
            return case
        files, names = self._reach[case.id]
        inside = self.workspace.resolve()
        own = (Path(each) for each in files)
        reach = (each.relative_to(inside) if each.is_relative_to(inside) else each for each in own)
        return replace(case, reach=tuple(each.as_posix() for each in reach), names=names)

    def _records(self, running: list[str]) -> Records:
        sessions = list(self._sessions.values())
        stopped = any(each.finish and each.finish["stopped"] for each in sessions)
        missing = [node for node in self._collected if node not in self._cases]
        return Records(
            started=bool(sessions),
            configured=any(each.start for each in sessions),
            finished=bool(sessions) and all(each.finish and not each.gap for each in sessions),
            missing=0 if stopped else len(missing),
            internal=self._internal,
            interrupted=any(each.interrupted for each in sessions),
            broken_conftest=self._broken_conftest,
        )

    def _forged(self) -> tuple[str, ...]:
        found = [
            _clean(text)
            for each in self._sessions.values()
            if each.finish
            for text in each.finish["forged"]
        ]
        if self._strange:
            found.append(f"{self._strange} records that the runner did not send")
        if any(each.gap for each in self._sessions.values()):
            found.append("records of the runner are missing or out of order")
        return tuple(dict.fromkeys(found))


def _place(values: list[str]) -> _Place:
    file_id, path, function, definer = values
    return _Place(file_id, Path(path), function, definer)


def _raised(chain: list[Any]) -> tuple[Raised, ...]:
    return tuple(Raised(name, _short(text), tuple(files)) for name, text, files in chain)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _bounded(text: str) -> str:
    text = _clean(text)
    if len(text) <= DETAIL_BOUND:
        return text
    # Between words, so that no half of a secret is left that nobody would know as one.
    half = DETAIL_BOUND // 2
    head, tail = _without_last_word(text[:half]), (text[-half:].split(None, 1) or [""])[-1]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"


def _without_last_word(text: str) -> str:
    return (text.rsplit(None, 1) or [""])[0]


def _short(message: str) -> str:
    message = _clean(message)
    if len(message) <= MESSAGE_BOUND:
        return message
    return _without_last_word(message[:MESSAGE_BOUND])
