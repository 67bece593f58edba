"""Read the records that the pytest plugin sends, and build the report from them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.suites.command_line import CommandLine, CommandResult
from orchestrator.suites.progress import SuiteProgress
from orchestrator.suites.pytest.case_reach import ReachedFiles
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.excerpts import replace_surrogates, shorten_message
from orchestrator.suites.pytest.footprint import build_footprint
from orchestrator.suites.pytest.node_ids import extract_file_part
from orchestrator.suites.pytest.session import PytestSession, Record, parse_location
from orchestrator.suites.pytest.verdict import UNFINISHED_MESSAGE, Records, judge_run


@dataclass
class ReportReader:
    """Reads records line by line, emits an event for each case that ends, and builds the report.

    Args:
        nonce: the secret of this run; a line without it is not a record.
        workspace: where pytest is started; ids are relative to it.
        on_event: receives each case as it ends.
        progress: receives the ids of cases that start and end.
    """

    nonce: str
    workspace: Path
    on_event: Listener
    progress: SuiteProgress
    _sessions: dict[int, PytestSession] = field(default_factory=dict)
    _notified_ids: set[str] = field(default_factory=set)
    _footprint_parts: list[Record] = field(default_factory=list)
    _reached_files: ReachedFiles = field(default_factory=ReachedFiles)
    _internal_error: str = ""
    _has_broken_conftest: bool = False
    _invalid_records: int = 0

    def read_line(self, line: bytes) -> None:
        """Read one line of the stream."""
        # Tests can write to the pipe too, so a record may have any content and must not raise.
        try:
            record = json.loads(line)
            handle = _HANDLERS.get(record["kind"]) if record["nonce"] == self.nonce else None
            if handle is None:
                self._invalid_records += 1
                return
            session = self._sessions.setdefault(record["process"], PytestSession(self.workspace))
            session.check_number(record["number"])
            handle(self, record, session)
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            self._invalid_records += 1

    # ---- records, one method for each kind -------------------------------------------------

    def _handle_load(self, record: Record, session: PytestSession) -> None:
        """Do nothing: the record only says that the plugin was loaded."""

    def _handle_start(self, record: Record, session: PytestSession) -> None:
        session.start = record

    def _handle_broken_conftest(self, record: Record, session: PytestSession) -> None:
        self._has_broken_conftest = True
        self._finish_case(session.build_file_case("", Path(record["path"]), record), session)

    def _handle_collected(self, record: Record, session: PytestSession) -> None:
        locations = [parse_location(each) for each in record["places"]]
        for node, at in zip(record["ids"], record["at"] or [-1] * len(record["ids"]), strict=True):
            session.collected[node] = None
            if at >= 0:
                session.add_location(node, locations[at])

    def _handle_location(self, record: Record, session: PytestSession) -> None:
        session.add_location(record["id"], parse_location(record["place"]))

    def _handle_case_start(self, record: Record, session: PytestSession) -> None:
        session.running[record["id"]] = None
        self.progress.start_case(record["id"], session.resolve_id(record["id"]))

    def _handle_phase(self, record: Record, session: PytestSession) -> None:
        session.phases.setdefault(record["id"], []).append(record)

    def _handle_case_end(self, record: Record, session: PytestSession) -> None:
        node = record["id"]
        session.running.pop(node, None)
        self.progress.end_case(node)
        case = session.build_case(node, passed=record["passed"])
        self._finish_case(replace(case, seconds=record["seconds"]), session, node)

    def _handle_uncollected(self, record: Record, session: PytestSession) -> None:
        path = session.root / extract_file_part(record["id"])
        case = session.build_file_case(record["id"], path, record)
        if record["outcome"] == "skipped":
            case = replace(case, outcome=CaseOutcome.SKIPPED)
        self._finish_case(case, session)

    def _handle_internal_error(self, record: Record, session: PytestSession) -> None:
        self._internal_error = self._internal_error or shorten_message(record["message"])

    def _handle_interruption(self, record: Record, session: PytestSession) -> None:
        session.interrupted = True

    def _handle_footprint(self, record: Record, session: PytestSession) -> None:
        self._footprint_parts.append(record)

    def _handle_reach(self, record: Record, session: PytestSession) -> None:
        self._reached_files.add_record(record, session.resolve_id)

    def _handle_finish(self, record: Record, session: PytestSession) -> None:
        session.finish = record

    def _finish_case(self, case: Case, session: PytestSession, node: str = "") -> None:
        session.cases[node or case.id] = case
        if case.id not in self._notified_ids:
            self._notified_ids.add(case.id)
            self.on_event(CaseFinished(case))

    # ---- the report ------------------------------------------------------------------------

    def build_report(self, line: CommandLine, ended: CommandResult) -> SuiteReport:
        """Return the report of a command that has ended."""
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
            finished = tuple(case for case in cases if case.id not in unfinished)
            outcome, message = judge_run(ended.exit_code, finished, records, ended.output)
        if unfinished:
            message += f", while {unfinished[0]} was running"
        message = "; ".join(filter(None, (message, note)))
        report = replace(ended, message=message).build_report(
            line, outcome or SuiteOutcome.CRASHED, cases
        )
        return replace(
            report,
            complete=self._is_complete(records) and not unfinished,
            running=unfinished[0] if unfinished else "",
            forged=self._list_forgeries(),
        )

    def build_collection(self, line: CommandLine, ended: CommandResult) -> Collection:
        """Return what was collected by a command that has ended."""
        sessions = list(self._sessions.values())
        start = next((each.start for each in sessions if each.start), {})
        plugins = start.get("plugins")
        cases = {each.resolve_id(node) for each in sessions for node in each.collected}
        outcome = ended.outcome
        if outcome is None and not all(each.has_collected for each in sessions):
            outcome = SuiteOutcome.CRASHED
        if outcome is None and not sessions:
            outcome = SuiteOutcome.USAGE_ERROR
        failures = tuple(case for case in self._merge_cases(None) if case.is_failing)
        return Collection(
            len(cases),
            failures,
            ended.seconds,
            outcome,
            ended.output,
            str(start.get("interpreter", "")),
            str(start.get("version", "")),
            str(start.get("pytest", "")),
            tuple(map(str, plugins)) if isinstance(plugins, list) else (),
            self.build_report(line, ended).message if outcome else "",
        )

    def collect_footprint(self) -> Footprint | None:
        """Return the footprint, if the suite was observed until it finished."""
        starts = [each.start for each in self._sessions.values() if each.start]
        return build_footprint(starts, self._footprint_parts, self._reached_files.files)

    def _finish_interrupted_case(self, node: str, session: PytestSession) -> str:
        """End a case that was running when its process ended, and return its id."""
        session.running.pop(node)
        case = session.build_case(node, passed=False)
        message = shorten_message("\n".join(filter(None, (UNFINISHED_MESSAGE, case.message))))
        detail = case.detail or f"{case.id}: {UNFINISHED_MESSAGE}"
        case = replace(case, outcome=CaseOutcome.ERROR, message=message, detail=detail)
        self._finish_case(case, session, node)
        return case.id

    def _merge_cases(self, exit_code: int | None) -> tuple[Case, ...]:
        """Return each case once: if several sessions ran it, a failure takes precedence.

        If the command succeeded, the last session takes precedence, because it ran the cases again.
        """
        found: dict[str, Case] = {}
        for session in self._sessions.values():
            for case in session.cases.values():
                known = found.get(case.id)
                if known is None or exit_code == 0 or not known.is_failing:
                    found[case.id] = case
        return tuple(found.values())

    def _build_records(self, finished_ids: set[str]) -> Records:
        sessions = list(self._sessions.values())
        missing = {
            case_id
            for each in sessions
            for node in each.collected
            if node not in each.cases and (case_id := each.resolve_id(node)) not in finished_ids
        }
        return Records(
            started=bool(sessions),
            configured=any(each.start for each in sessions),
            finished=bool(sessions) and all(each.finish and not each.has_gap for each in sessions),
            missing=len(missing),
            stop_reason=next((each.stop_reason for each in sessions if each.stop_reason), ""),
            internal=self._internal_error,
            interrupted=any(each.interrupted for each in sessions),
            broken_conftest=self._has_broken_conftest,
        )

    def _is_complete(self, records: Records) -> bool:
        has_collected = all(each.has_collected for each in self._sessions.values())
        return records.finished and has_collected and not records.missing

    def _list_forgeries(self) -> tuple[str, ...]:
        found = [
            replace_surrogates(text)
            for each in self._sessions.values()
            if each.finish
            for text in each.finish["forged"]
        ]
        if self._invalid_records:
            found.append(f"invalid records, not sent by the runner: {self._invalid_records}")
        if any(each.has_gap for each in self._sessions.values()):
            found.append("records from the runner are missing or out of order")
        return tuple(dict.fromkeys(found))


_HANDLERS: Final[Mapping[str, Callable[[ReportReader, Record, PytestSession], None]]] = {
    "load": ReportReader._handle_load,
    "start": ReportReader._handle_start,
    "broken": ReportReader._handle_broken_conftest,
    "collected": ReportReader._handle_collected,
    "place": ReportReader._handle_location,
    "begin": ReportReader._handle_case_start,
    "report": ReportReader._handle_phase,
    "end": ReportReader._handle_case_end,
    "uncollected": ReportReader._handle_uncollected,
    "internal": ReportReader._handle_internal_error,
    "interrupted": ReportReader._handle_interruption,
    "footprint": ReportReader._handle_footprint,
    "reach": ReportReader._handle_reach,
    "finish": ReportReader._handle_finish,
}
"""The method for each kind of record that the plugin sends."""
