"""The records of the plugin, as they come, turned into a report."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, Raised, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.suites.command_line import CommandLine, CommandResult
from orchestrator.suites.pytest.case_reach import ReachedFiles
from orchestrator.suites.pytest.footprint import build_footprint
from orchestrator.suites.pytest.node_ids import extract_file_part, extract_function_part, rebase_id
from orchestrator.suites.pytest.verdict import UNFINISHED_MESSAGE, Records, judge_run

DETAIL_BOUND: Final = 20_000
"""Characters of a traceback that a case keeps: half from its start, half from its end."""

MESSAGE_BOUND: Final = 2_000


@dataclass(frozen=True)
class _CaseLocation:
    """Where a case is defined, by pytest's own word."""

    file_id: str
    path: Path
    function: str = ""
    definer: str = ""


@dataclass
class _Session:
    """One pytest process that reported: a command may run several, one after the other."""

    number: int = 0
    """Of the record that comes next."""
    start: dict[str, Any] | None = None
    finish: dict[str, Any] | None = None
    gap: bool = False
    interrupted: bool = False
    locations: dict[str, _CaseLocation] = field(default_factory=dict)
    functions: dict[str, _CaseLocation] = field(default_factory=dict)
    """Where one case of each function is defined, by the function's id."""
    collected: dict[str, None] = field(default_factory=dict)
    running: dict[str, None] = field(default_factory=dict)
    phases: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    """Of each node, as it ended last."""

    @property
    def has_collected(self) -> bool:
        """Whether it came to the end of collecting."""
        return bool(self.finish and self.finish["collected"])

    @property
    def stop_reason(self) -> str:
        """Why it stopped by itself before all cases had run, if it did."""
        return _shorten_message(self.finish["stopped"]) if self.finish else ""

    def add_location(self, node: str, place: _CaseLocation) -> None:
        """Note where a case is defined."""
        self.locations[node] = place
        if place.function:
            self.functions[place.function] = place

    def resolve_root(self, workspace: Path) -> Path:
        """Return the folder that ids begin at."""
        return Path(self.start["root"]) if self.start else workspace


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
    _notified_ids: set[str] = field(default_factory=set)
    _footprint_parts: list[dict[str, Any]] = field(default_factory=list)
    _reached_files: ReachedFiles = field(default_factory=ReachedFiles)
    _internal: str = ""
    _broken_conftest: bool = False
    _invalid_records: int = 0

    def read_line(self, line: bytes) -> None:
        """Take one line of the stream."""
        try:
            record = json.loads(line)
            authentic = record["nonce"] == self.nonce
            handle = getattr(self, f"_take_{record['kind']}", None) if authentic else None
            if handle is None:
                self._invalid_records += 1
                return
            session = self._sessions.setdefault(record["process"], _Session())
            session.gap = session.gap or record["number"] != session.number
            session.number = record["number"] + 1
            handle(record, session)
        except (ValueError, KeyError, TypeError, IndexError):
            self._invalid_records += 1

    # ---- the records -----------------------------------------------------------------------

    def _take_load(self, record: dict[str, Any], session: _Session) -> None:
        """Nothing: that the plugin was loaded is all that it says."""

    def _take_start(self, record: dict[str, Any], session: _Session) -> None:
        session.start = record

    def _take_broken(self, record: dict[str, Any], session: _Session) -> None:
        self._broken_conftest = True
        path = Path(record["path"])
        case = replace(self._build_file_case("", path, record), outcome=CaseOutcome.ERROR)
        self._finish_case(case, session)

    def _take_collected(self, record: dict[str, Any], session: _Session) -> None:
        places = [_parse_location(each) for each in record["places"]]
        for node, at in zip(record["ids"], record["at"] or [-1] * len(record["ids"]), strict=True):
            session.collected[node] = None
            if at >= 0:
                session.add_location(node, places[at])

    def _take_place(self, record: dict[str, Any], session: _Session) -> None:
        session.add_location(record["id"], _parse_location(record["place"]))

    def _take_begin(self, record: dict[str, Any], session: _Session) -> None:
        session.running[record["id"]] = None

    def _take_report(self, record: dict[str, Any], session: _Session) -> None:
        session.phases.setdefault(record["id"], []).append(record)

    def _take_end(self, record: dict[str, Any], session: _Session) -> None:
        node = record["id"]
        session.running.pop(node, None)
        case = self._build_case(node, session, passed=record["passed"])
        self._finish_case(replace(case, seconds=record["seconds"]), session, node)

    def _take_uncollected(self, record: dict[str, Any], session: _Session) -> None:
        path = session.resolve_root(self.workspace) / extract_file_part(record["id"])
        outcome = CaseOutcome.SKIPPED if record["outcome"] == "skipped" else CaseOutcome.ERROR
        case = replace(self._build_file_case(record["id"], path, record), outcome=outcome)
        self._finish_case(case, session)

    def _take_internal(self, record: dict[str, Any], session: _Session) -> None:
        self._internal = self._internal or _shorten_message(record["message"])

    def _take_interrupted(self, record: dict[str, Any], session: _Session) -> None:
        session.interrupted = True

    def _take_footprint(self, record: dict[str, Any], session: _Session) -> None:
        self._footprint_parts.append(record)

    def _take_reach(self, record: dict[str, Any], session: _Session) -> None:
        self._reached_files.add_record(record, lambda node: self._resolve_id(node, session))

    def _take_finish(self, record: dict[str, Any], session: _Session) -> None:
        session.finish = record

    # ---- cases -----------------------------------------------------------------------------

    def _resolve_id(self, node: str, session: _Session) -> str:
        place = self._find_location(node, session)
        return rebase_id(node, place.file_id, place.path, self.workspace) if place.file_id else node

    def _find_location(self, node: str, session: _Session) -> _CaseLocation:
        """Return where a case is defined; of a case whose process died, what its id tells."""
        if node in session.locations:
            return session.locations[node]
        function, root = extract_function_part(node), session.resolve_root(self.workspace)
        if function in session.functions:
            return session.functions[function]
        file = extract_file_part(node)
        there = files.exists(root / file)
        return _CaseLocation(file, root / file, function) if there else _CaseLocation("", root)

    def _finish_case(self, case: Case, session: _Session, node: str = "") -> None:
        session.cases[node or case.id] = case
        if case.id not in self._notified_ids:
            self._notified_ids.add(case.id)
            self.on_event(CaseFinished(case))

    def _build_file_case(self, node: str, path: Path, record: dict[str, Any]) -> Case:
        own = rebase_id("", "", path, self.workspace)
        case_id = rebase_id(node, extract_file_part(node), path, self.workspace) if node else own
        return Case(
            case_id if files.exists(path) else node or own,
            CaseOutcome.ERROR,
            0.0,
            _shorten_message(record["message"]),
            _shorten_detail(record["text"]),
            file=own if files.is_file(path) else "",
            function=case_id,
            raised=_parse_exceptions(record["raised"]),
            collecting=True,
        )

    def _build_case(self, node: str, session: _Session, *, passed: bool) -> Case:
        phases = session.phases.pop(node, [])
        place = self._find_location(node, session)
        case_id = self._resolve_id(node, session)
        failing = [phase for phase in phases if phase["outcome"] == "failed"]
        if failing:
            first = failing[0]["when"]
            outcome = CaseOutcome.FAILED if first == "call" else CaseOutcome.ERROR
        else:
            outcome = CaseOutcome.PASSED if passed else CaseOutcome.SKIPPED
        speaking = failing or ([] if passed else phases)
        dead = any(phase["when"] not in ("setup", "call", "teardown") for phase in failing)
        words = [UNFINISHED_MESSAGE] if dead else []
        words += [phase["message"] for phase in speaking]
        function = place.function
        if function:
            function = rebase_id(function, place.file_id, place.path, self.workspace)
        definer = Path(place.definer) if place.definer else place.path
        return Case(
            case_id,
            outcome,
            0.0,
            _shorten_message("\n".join(filter(None, words))),
            _shorten_detail("\n\n".join(filter(None, (phase["text"] for phase in speaking)))),
            file=rebase_id("", "", definer, self.workspace) if place.file_id else "",
            function=function or case_id,
            raised=tuple(each for phase in speaking for each in _parse_exceptions(phase["raised"])),
        )

    # ---- the whole -------------------------------------------------------------------------

    def build_report(self, line: CommandLine, ended: CommandResult) -> SuiteReport:
        """Make the report of a command that has ended."""
        unfinished = [
            self._finish_interrupted_case(node, session)
            for session in self._sessions.values()
            for node in list(session.running)
        ]
        cases, note = self._reached_files.attach_reach(
            self._merge_cases(ended.exit_code), self.workspace
        )
        records = self._build_records({case.id for case in cases})
        outcome, message = ended.outcome, ended.message
        if outcome is None and ended.exit_code is not None:
            over = tuple(case for case in cases if case.id not in unfinished)
            outcome, message = judge_run(ended.exit_code, over, records, ended.output)
        first = unfinished[0] if unfinished else ""
        if first:
            message += f", while {first} was running"
        message = "; ".join(filter(None, (message, note)))
        report = replace(ended, message=message).build_report(
            line, outcome or SuiteOutcome.CRASHED, cases
        )
        whole = all(each.has_collected for each in self._sessions.values())
        complete = records.finished and whole and not records.missing and not unfinished
        return replace(report, complete=complete, running=first, forged=self._list_forgeries())

    def collect_footprint(self) -> Footprint | None:
        """Return the footprint, where the suite was observed to its end."""
        starts = [each.start for each in self._sessions.values() if each.start]
        return build_footprint(starts, self._footprint_parts, self._reached_files.files)

    def _finish_interrupted_case(self, node: str, session: _Session) -> str:
        """End a case that ran when its process ended, and return its id."""
        session.running.pop(node)
        case = self._build_case(node, session, passed=False)
        message = _shorten_message("\n".join(filter(None, (UNFINISHED_MESSAGE, case.message))))
        detail = case.detail or f"{case.id}: {UNFINISHED_MESSAGE}"
        case = replace(case, outcome=CaseOutcome.ERROR, message=message, detail=detail)
        self._finish_case(case, session, node)
        return case.id

    def _merge_cases(self, exit_code: int | None) -> tuple[Case, ...]:
        """Return each case once: of several sessions, what fails counts.

        Only where the command ends well, the last session does: it ran the cases again.
        """
        found: dict[str, Case] = {}
        for session in self._sessions.values():
            for case in session.cases.values():
                known = found.get(case.id)
                if known is None or exit_code == 0 or not known.is_failing:
                    found[case.id] = case
        return tuple(found.values())

    def _build_records(self, ended: set[str]) -> Records:
        sessions = list(self._sessions.values())
        missing = {
            case_id
            for each in sessions
            for node in each.collected
            if node not in each.cases and (case_id := self._resolve_id(node, each)) not in ended
        }
        return Records(
            started=bool(sessions),
            configured=any(each.start for each in sessions),
            finished=bool(sessions) and all(each.finish and not each.gap for each in sessions),
            missing=len(missing),
            stop_reason=next((each.stop_reason for each in sessions if each.stop_reason), ""),
            internal=self._internal,
            interrupted=any(each.interrupted for each in sessions),
            broken_conftest=self._broken_conftest,
        )

    def _list_forgeries(self) -> tuple[str, ...]:
        found = [
            _replace_surrogates(text)
            for each in self._sessions.values()
            if each.finish
            for text in each.finish["forged"]
        ]
        if self._invalid_records:
            found.append(f"{self._invalid_records} records that the runner did not send")
        if any(each.gap for each in self._sessions.values()):
            found.append("records of the runner are missing or out of order")
        return tuple(dict.fromkeys(found))


def _parse_location(values: list[str]) -> _CaseLocation:
    file_id, path, function, definer = values
    return _CaseLocation(file_id, Path(path), function, definer)


def _parse_exceptions(chain: list[Any]) -> tuple[Raised, ...]:
    return tuple(Raised(name, _shorten_message(text), tuple(files)) for name, text, files in chain)


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _shorten_detail(text: str) -> str:
    text = _replace_surrogates(text)
    if len(text) <= DETAIL_BOUND:
        return text
    # Between words, so that no half of a secret is left that nobody would know as one.
    half = DETAIL_BOUND // 2
    head, tail = _drop_last_word(text[:half]), (text[-half:].split(None, 1) or [""])[-1]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"


def _drop_last_word(text: str) -> str:
    return (text.rsplit(None, 1) or [""])[0]


def _shorten_message(message: str) -> str:
    message = _replace_surrogates(message)
    if len(message) <= MESSAGE_BOUND:
        return message
    return _drop_last_word(message[:MESSAGE_BOUND])
