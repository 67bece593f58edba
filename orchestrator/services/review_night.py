"""Carry out one review: archive, read, find, propose, teach, in this order."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.budget.metering import Account
from orchestrator.config import Config
from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.events import Listener
from orchestrator.platform import files
from orchestrator.proposals.models import SESSIONS, Proposal, ProposalKind, ProposalStatus
from orchestrator.proposals.permission_rules import read_allow_rules
from orchestrator.proposals.records import ProposalStore
from orchestrator.proposals.states import refresh_proposals
from orchestrator.rulebook.history import History
from orchestrator.services import rulebooks, wiring
from orchestrator.services.review_lessons import (
    TeachingRound,
    remove_queued_failures,
    teach_proposals,
)
from orchestrator.services.review_proposals import (
    FindingProposer,
    create_rule_finder,
    describe_known,
    describe_open,
    follow_up_proposals,
    is_followed_up,
)
from orchestrator.services.trust import TEACHING, load_trusted_config
from orchestrator.sessions.counting.findings import SessionFinding, StoredOccurrence, find_findings
from orchestrator.sessions.models import SessionClass
from orchestrator.sessions.reading.files import Family
from orchestrator.sessions.reading.homes import find_homes
from orchestrator.sessions.store.archive import ArchiveResult, archive_transcripts
from orchestrator.sessions.store.cleanup_period import find_cleanup_period
from orchestrator.sessions.store.project_sessions import format_transcript_time
from orchestrator.sessions.store.records import load_occurrences
from orchestrator.sessions.store.scanning import list_families, scan_transcripts
from orchestrator.sessions.store.session_counts import (
    count_sessions,
    count_unreadable_rows,
    list_starts,
)
from orchestrator.sessions.views.report import (
    FindingReport,
    ProjectReport,
    ReviewReport,
)
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import (
    transcripts_folder,
)
from teacher.errors import TeacherError


class ReviewNight:
    """One review.

    Args:
        project: the project to review; None for all.
        config: the configuration of the folder at hand.
        store: the database.
        listener: receives notices.
        since: the start of the reviewed period.
        now: its end.
        dry_run: whether to propose nothing, ask nobody and copy nothing.
    """

    def __init__(
        self,
        project: Path | None,
        config: Config,
        store: Store,
        listener: Listener,
        since: datetime,
        now: datetime,
        *,
        dry_run: bool,
    ) -> None:
        self._project, self._config, self._store = project, config, store
        self._dry_run = dry_run
        self._listener, self._since, self._now = listener, since, now
        self._lookback = timedelta(days=config.review.lookback_days)
        self._first = min(since, now - self._lookback)
        self._database = store.database
        self._proposals = ProposalStore(store.database)

    def run(self) -> ReviewReport:
        """Archive, read, find, propose and teach; return the report."""
        review = self._config.review
        homes = find_homes(os.environ, [Path(each) for each in review.config_dirs])
        families = list_families(homes)
        archived = self._archive(families)
        scan = scan_transcripts(
            self._database,
            homes,
            lambda: wiring.build_masker(self._config, os.environ, self._store.directory),
            families=families,
        )
        projects = self._review_projects()
        lessons = self._teach(projects)
        projects = [_update_outcomes(each, lessons.decided) for each in projects]
        sessions = sum((Counter(each.sessions) for each in projects), Counter())
        return ReviewReport(
            started=self._now.astimezone(),
            since=self._since.astimezone(),
            until=self._now.astimezone(),
            homes=tuple(map(str, homes)),
            project=str(self._project) if self._project else "",
            counted_days=(self._now - self._first) / timedelta(days=1),
            sessions=sessions,
            files_read=scan.read,
            files_unchanged=scan.unchanged,
            rows=scan.rows,
            unreadable_rows=count_unreadable_rows(self._database),
            problems=tuple(f"{each.location}: {each.reason}" for each in scan.problems),
            archived=_describe_archive(archived) if archived else "",
            cleanup="; ".join(dict.fromkeys(find_cleanup_period(each).text for each in homes)),
            projects=tuple(projects),
            cost_usd=lessons.cost_usd,
            waiting=sum(self._count_waiting(each.project) for each in projects),
            teacher=lessons.obstacle,
            dry_run=self._dry_run,
        )

    def _archive(self, families: Sequence[Family]) -> ArchiveResult | None:
        if self._dry_run:
            return None
        review = self._config.review
        return archive_transcripts(
            families,
            transcripts_folder(self._store.directory),
            review.archive_mb << 20,
            math.inf if review.archive_days is None else review.archive_days,
            self._now,
        )

    # ---- finding and proposing

    def _review_projects(self) -> list[ProjectReport]:
        """Return what was found in each project, the one with the most sessions first."""
        chosen = str(self._project) if self._project else ""
        seen = count_sessions(self._database, self._first, self._now, chosen)
        recent = count_sessions(self._database, self._since, self._now, chosen)
        first, until = (format_transcript_time(each) for each in (self._first, self._now))
        occurrences = load_occurrences(self._database, first, until, chosen)
        if chosen:
            occurrences = [replace(each, project=chosen) for each in occurrences]
        names = sorted(seen, key=lambda name: (-_count_teaching(seen[name]), name))
        return [
            self._review_project(
                name,
                [each for each in occurrences if each.project == name],
                _count_teaching(seen[name]),
                recent.get(name, Counter()),
            )
            for name in names
            if _count_teaching(seen[name]) or recent.get(name)
        ]

    def _review_project(
        self,
        name: str,
        occurrences: Sequence[StoredOccurrence],
        seen: int,
        recent: Counter[SessionClass],
    ) -> ProjectReport:
        project = Path(name)
        report = ProjectReport(name, recent, seen)
        problem, history = "", None
        if not project.is_absolute():
            problem = "no folder is known in which these sessions worked"
        elif files.is_folder(project):
            try:
                history = self._open_history(project)
            except (LoopError, TeacherError) as error:
                problem = str(error)
        else:
            problem = "its folder is not on this machine"
        found = self._find(occurrences, project, seen, history)
        if history is None:
            outcomes = [FindingReport(each, "") for each in found if self._is_recent(each)]
            return replace(report, findings=tuple(outcomes), problem=problem)
        proposer = FindingProposer(
            project, self._proposals, history.list_records(), dry_run=self._dry_run
        )
        # What was left out before, or was read late, is proposed whenever it happened last.
        shown = [each for each in found if self._is_recent(each) or proposer.is_new(each)]
        outcomes = [proposer.propose(each, seen) for each in shown]
        stored = refresh_proposals(
            self._proposals,
            self._proposals.list_proposals(name),
            history,
            self._store.directory,
        )
        remove_queued_failures(project, self._store.directory, stored, self._listener)
        starts = list_starts(self._database, name)
        accepted = [each for each in stored if is_followed_up(each)]
        # Also what happened before the days that count: a proposal may be older than they are.
        all_time = load_occurrences(self._database, project=name) if accepted else ()
        follow_ups = follow_up_proposals(accepted, all_time, starts, self._lookback)
        return replace(
            report,
            findings=tuple(outcomes),
            follow_ups=follow_ups,
            older_findings=len(found) - len(shown),
        )

    def _is_recent(self, finding: SessionFinding) -> bool:
        """Return whether it happened in the reviewed period."""
        return max(each.at for each in finding.evidence) >= format_transcript_time(self._since)

    def _open_history(self, project: Path) -> History:
        config = load_trusted_config(project, None, of=TEACHING).config
        book, history = rulebooks.open_rulebook(config, project, self._database, self._listener)
        book.list_rules()  # people may have edited the files
        return history

    def _find(
        self,
        occurrences: Sequence[StoredOccurrence],
        project: Path,
        seen: int,
        history: History | None,
    ) -> list[SessionFinding]:
        """Return the findings of all days that count, what recurs most first."""
        records = history.list_records() if history else ()
        find_rule = create_rule_finder(self._database, records)
        return find_findings(
            occurrences,
            {str(project): seen},
            allow_rules=read_allow_rules(project, os.environ) if project.is_absolute() else (),
            find_loaded_rule=find_rule,
        )

    # ---- teaching

    def _teach(self, projects: Sequence[ProjectReport]) -> "_Lessons":
        """Ask the teacher about the proposals that wait for it, within the limits of a review."""
        lessons = _Lessons()
        if self._dry_run:
            return lessons
        waiting = self._list_untaught(projects)
        chosen = waiting[: self._config.review.max_lessons]
        if not chosen:
            return lessons
        account = self._open_account()
        for name in dict.fromkeys(each.project for each in chosen):
            of_project = [each for each in chosen if each.project == name]
            round_ = self._teach_project(Path(name), of_project, account)
            lessons.decided |= {each.id: each for each in round_.taught}
            if round_.obstacle:
                asked = "not asked about all of it" if lessons.decided else "not asked"
                lessons.obstacle = f"{asked}: {round_.obstacle}"
        if len(waiting) > len(lessons.decided) and not lessons.obstacle:
            left = format_count(len(waiting) - len(lessons.decided), "proposal")
            lessons.obstacle = f"{left} more for the next review (review.max_lessons)"
        lessons.cost_usd = account.ledger.sum_run(account.run)
        return lessons

    def _teach_project(
        self, project: Path, proposals: Sequence[Proposal], account: Account
    ) -> TeachingRound:
        try:
            loaded = load_trusted_config(project, None, of=TEACHING)
        except LoopError as error:  # it was right when the review began
            return TeachingRound(obstacle=str(error))
        return teach_proposals(proposals, loaded, self._store, account, self._listener)

    def _list_untaught(self, projects: Sequence[ProjectReport]) -> list[Proposal]:
        """Return the proposals that wait for the teacher, those that recur most first."""
        names = {each.project for each in projects if not each.problem}
        found = [
            each
            for each in self._proposals.list_proposals(is_open=True)
            if each.project in names
            and each.kind is ProposalKind.RULE
            and each.status is ProposalStatus.NEEDS_TEACHER
        ]
        return sorted(found, key=lambda each: (-each.read_count(SESSIONS), each.created, each.id))

    def _open_account(self) -> Account:
        account = wiring.open_account(
            self._config, self._database, f"review-{self._now:%Y%m%d-%H%M%S}"
        )
        caps = replace(account.caps, cost_usd_per_run=self._config.review.max_cost_usd)
        return replace(account, caps=caps)

    def _count_waiting(self, project: str) -> int:
        return len(self._proposals.list_proposals(project, is_open=True))


@dataclass
class _Lessons:
    """What the teacher said in one review."""

    decided: dict[str, Proposal] = field(default_factory=dict)
    """The proposals that it was asked about, by id, as they stand now."""
    obstacle: str = ""
    cost_usd: float = 0.0


def _update_outcomes(report: ProjectReport, decided: Mapping[str, Proposal]) -> ProjectReport:
    """Return a report with what the teacher made of its findings."""
    findings = tuple(
        replace(each, outcome=_describe_taught(decided[each.proposal]))
        if each.proposal in decided
        else each
        for each in report.findings
    )
    return replace(report, findings=findings)


def _describe_taught(proposal: Proposal) -> str:
    if proposal.is_open and proposal.rule:
        return f"{describe_open(proposal)} (rule {proposal.rule})"
    if proposal.is_open:
        return f"{describe_open(proposal)}, whose answer could not be used"
    reason = f": {proposal.reason}" if proposal.reason else ""
    return f"{describe_known(proposal)}{reason}"


def _describe_archive(archived: ArchiveResult) -> str:
    text = (
        f"{format_count(archived.copied, 'file')} copied, {archived.unchanged} unchanged, "
        f"{archived.size / 1e6:.1f} MB in all"
    )
    if archived.removed:
        text += (
            f"; {format_count(len(archived.removed), 'old copy', 'old copies')} removed "
            f"({archived.removed_bytes / 1e6:.1f} MB)"
        )
    if archived.over_limit:
        text += f"; {archived.over_limit} not copied: too old, or no room (review.archive_mb)"
    if archived.unreadable:
        text += f"; {format_count(len(archived.unreadable), 'file')} unreadable"
    return text


def _count_teaching(sessions: Mapping[SessionClass, int]) -> int:
    """Return how many sessions are not our own."""
    return sum(number for kind, number in sessions.items() if kind is not SessionClass.OWN)
