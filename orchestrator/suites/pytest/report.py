"""The records of the plugin, as they come, turned into a report."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, Raised, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.suites.command_line import CommandLine, Ended
from orchestrator.suites.pytest.footprint import build_footprint
from orchestrator.suites.pytest.reached import ReachedFiles
from orchestrator.suites.pytest.selecting import file_part, function_part, rebase
from orchestrator.suites.pytest.verdict import UNFINISHED, Records, judge

DETAIL_BOUND: Final = 20_000
"""Characters of a traceback that a case keeps: half from its start, half from its end."""

MESSAGE_BOUND: Final = 2_000


@dataclass(frozen=True)
class _Place:
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
    places: dict[str, _Place] = field(default_factory=dict)
    functions: dict[str, _Place] = field(default_factory=dict)
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
    def stopped(self) -> str:
        """Why it stopped by itself before all cases had run, if it did."""
        return _short(self.finish["stopped"]) if self.finish else ""

    def note_place(self, node: str, place: _Place) -> None:
        """Note where a case is defined."""
        self.places[node] = place
        if place.function:
            self.functions[place.function] = place

    def root(self, workspace: Path) -> Path:
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
    _notified: set[str] = field(default_factory=set)
    _gathered: list[dict[str, Any]] = field(default_factory=list)
    _reached: ReachedFiles = field(default_factory=ReachedFiles)
    _internal: str = ""
    _broken_conftest: bool = False
    _strange: int = 0

    def take(self, line: bytes) -> None:
        """Take one line of the stream."""
        try:
            record = json.loads(line)
            authentic = record["nonce"] == self.nonce
            handle = getattr(self, f"_take_{record['kind']}", None) if authentic else None
            if handle is None:
                self._strange += 1
                return
            session = self._sessions.setdefault(record["process"], _Session())
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
        case = replace(self._failed_file("", path, record), outcome=CaseOutcome.ERROR)
        self._end(case, session)

    def _take_collected(self, record: dict[str, Any], session: _Session) -> None:
        places = [_place(each) for each in record["places"]]
        for node, at in zip(record["ids"], record["at"] or [-1] * len(record["ids"]), strict=True):
            session.collected[node] = None
            if at >= 0:
                session.note_place(node, places[at])

    def _take_place(self, record: dict[str, Any], session: _Session) -> None:
        session.note_place(record["id"], _place(record["place"]))

    def _take_begin(self, record: dict[str, Any], session: _Session) -> None:
        session.running[record["id"]] = None

    def _take_report(self, record: dict[str, Any], session: _Session) -> None:
        session.phases.setdefault(record["id"], []).append(record)

    def _take_end(self, record: dict[str, Any], session: _Session) -> None:
        node = record["id"]
        session.running.pop(node, None)
        case = self._case(node, session, passed=record["passed"])
        self._end(replace(case, seconds=record["seconds"]), session, node)

    def _take_uncollected(self, record: dict[str, Any], session: _Session) -> None:
        path = session.root(self.workspace) / file_part(record["id"])
        outcome = CaseOutcome.SKIPPED if record["outcome"] == "skipped" else CaseOutcome.ERROR
        case = replace(self._failed_file(record["id"], path, record), outcome=outcome)
        self._end(case, session)

    def _take_internal(self, record: dict[str, Any], session: _Session) -> None:
        self._internal = self._internal or _short(record["message"])

    def _take_interrupted(self, record: dict[str, Any], session: _Session) -> None:
        session.interrupted = True

    def _take_footprint(self, record: dict[str, Any], session: _Session) -> None:
        self._gathered.append(record)

    def _take_reach(self, record: dict[str, Any], session: _Session) -> None:
        self._reached.take(record, lambda node: self._id(node, session))

    def _take_finish(self, record: dict[str, Any], session: _Session) -> None:
        session.finish = record

    # ---- cases -----------------------------------------------------------------------------

    def _id(self, node: str, session: _Session) -> str:
        place = self._place_of(node, session)
        return rebase(node, place.file_id, place.path, self.workspace) if place.file_id else node

    def _place_of(self, node: str, session: _Session) -> _Place:
        """Return where a case is defined; of a case whose process died, what its id tells."""
        if node in session.places:
            return session.places[node]
        function, root = function_part(node), session.root(self.workspace)
        if function in session.functions:
            return session.functions[function]
        file = file_part(node)
        there = files.exists(root / file)
        return _Place(file, root / file, function) if there else _Place("", root)

    def _end(self, case: Case, session: _Session, node: str = "") -> None:
        session.cases[node or case.id] = case
        if case.id not in self._notified:
            self._notified.add(case.id)
            self.on_event(CaseFinished(case))

    def _failed_file(self, node: str, path: Path, record: dict[str, Any]) -> Case:
        own = rebase("", "", path, self.workspace)
        case_id = rebase(node, file_part(node), path, self.workspace) if node else own
        return Case(
            case_id if files.exists(path) else node or own,
            CaseOutcome.ERROR,
            0.0,
            _short(record["message"]),
            _bounded(record["text"]),
            file=own if files.is_file(path) else "",
            function=case_id,
            raised=_raised(record["raised"]),
            collecting=True,
        )

    def _case(self, node: str, session: _Session, *, passed: bool) -> Case:
        phases = session.phases.pop(node, [])
        place = self._place_of(node, session)
        case_id = self._id(node, session)
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
        unfinished = [
            self._end_unfinished(node, session)
            for session in self._sessions.values()
            for node in list(session.running)
        ]
        cases, note = self._reached.attach(self._merged(ended.exit_code), self.workspace)
        records = self._records({case.id for case in cases})
        outcome, message = ended.outcome, ended.message
        if outcome is None and ended.exit_code is not None:
            over = tuple(case for case in cases if case.id not in unfinished)
            outcome, message = judge(ended.exit_code, over, records, ended.output)
        first = unfinished[0] if unfinished else ""
        if first:
            message += f", while {first} was running"
        message = "; ".join(filter(None, (message, note)))
        report = replace(ended, message=message).report(
            line, outcome or SuiteOutcome.CRASHED, cases
        )
        whole = all(each.has_collected for each in self._sessions.values())
        complete = records.finished and whole and not records.missing and not unfinished
        return replace(report, complete=complete, running=first, forged=self._forged())

    def footprint(self) -> Footprint | None:
        """Return the footprint, where the suite was observed to its end."""
        starts = [each.start for each in self._sessions.values() if each.start]
        return build_footprint(starts, self._gathered, self._reached.files)

    def _end_unfinished(self, node: str, session: _Session) -> str:
        """End a case that ran when its process ended, and return its id."""
        session.running.pop(node)
        case = self._case(node, session, passed=False)
        message = _short("\n".join(filter(None, (UNFINISHED, case.message))))
        detail = case.detail or f"{case.id}: {UNFINISHED}"
        case = replace(case, outcome=CaseOutcome.ERROR, message=message, detail=detail)
        self._end(case, session, node)
        return case.id

    def _merged(self, exit_code: int | None) -> tuple[Case, ...]:
        """Return each case once: of several sessions, what fails counts.

        Only where the command ends well, the last session does: it ran the cases again.
        """
        found: dict[str, Case] = {}
        for session in self._sessions.values():
            for case in session.cases.values():
                known = found.get(case.id)
                if known is None or exit_code == 0 or not known.failing:
                    found[case.id] = case
        return tuple(found.values())

    def _records(self, ended: set[str]) -> Records:
        sessions = list(self._sessions.values())
        missing = {
            case_id
            for each in sessions
            for node in each.collected
            if node not in each.cases and (case_id := self._id(node, each)) not in ended
        }
        return Records(
            started=bool(sessions),
            configured=any(each.start for each in sessions),
            finished=bool(sessions) and all(each.finish and not each.gap for each in sessions),
            missing=len(missing),
            stopped=next((each.stopped for each in sessions if each.stopped), ""),
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
