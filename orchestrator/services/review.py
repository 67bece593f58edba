"""Review past sessions: archive, read, find, propose, report, in the order of a night.

Everything before the teacher needs no model. Each step can be repeated: if the process is killed
on the way, what is done stays, and the next review does the rest. The review itself is recorded
last, so that one that was cut short is due again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.config import LoadedConfig
from orchestrator.events import Listener
from orchestrator.platform import files
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.platform.project import resolve_project
from orchestrator.services.review_night import ReviewNight
from orchestrator.services.trust import load_known_config
from orchestrator.sessions.report import (
    ReviewReport,
    iter_report_lines,
)
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import (
    build_state_error,
    reviews_folder,
)

DUE_AFTER: Final = timedelta(hours=20)
"""Time after which a review is due again: a timer of every night may fire a little early."""
USUAL_PERIOD: Final = timedelta(hours=24)
_ALL: Final = "all"


@dataclass(frozen=True)
class ReviewRequest:
    """What to review.

    Args:
        project: the folder of the project; None for all projects.
        since: the start of the period. If None, that is the end of the last review, and at least a
            day ago; for the first one, all the days in which findings are counted.
        only_due: whether to do nothing if the last review was less than `DUE_AFTER` ago.
        dry_run: whether to propose nothing, ask nobody and copy nothing.
    """

    project: Path | None
    since: datetime | None = None
    only_due: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class ReviewOutcome:
    """What came of a request."""

    report: ReviewReport | None
    """None if no review was made."""
    message: str = ""
    """Why none was made."""
    path: Path | None = None
    """The file that has the report."""


def review_sessions(request: ReviewRequest, listener: Listener) -> ReviewOutcome:
    """Review past sessions, unless another review works or none is due.

    Raises:
        LoopError: the state directory, the archive or the configuration cannot be used.
    """
    project = resolve_project(request.project) if request.project else None
    loaded = load_known_config(project or Path.cwd().resolve(), None)
    with Store() as store:
        try:
            with _hold_lock(store):
                return _review_locked(replace(request, project=project), loaded, store, listener)
        except LockHeldError:
            return ReviewOutcome(None, "another review is at work; nothing was done")


@contextmanager
def _hold_lock(store: Store) -> Iterator[None]:
    lock = FileLock(store.locks / "review.lock", 0)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _review_locked(
    request: ReviewRequest, loaded: LoadedConfig, store: Store, listener: Listener
) -> ReviewOutcome:
    now = datetime.now(UTC)
    scope = str(request.project) if request.project else _ALL
    last = _find_last_review(store, scope)
    if request.only_due and last and last[0] <= now < last[0] + DUE_AFTER:
        at = f"{last[0].astimezone():%Y-%m-%d %H:%M}"
        return ReviewOutcome(None, f"not due: the last review was at {at}")
    days = timedelta(days=loaded.config.review.lookback_days)
    since = request.since or (min(last[1], now - USUAL_PERIOD) if last else now - days)
    night = ReviewNight(
        request.project, loaded.config, store, listener, since, now, dry_run=request.dry_run
    )
    report = night.run()
    if request.dry_run:
        return ReviewOutcome(report)
    return ReviewOutcome(report, path=_record_review(store, scope, report))


<<<<<<< HEAD
class _Night:
    """One review."""

    def __init__(
        self,
        request: ReviewRequest,
        config: Config,
        store: Store,
        listener: Listener,
        since: datetime,
        now: datetime,
    ) -> None:
        self._request, self._config, self._store = request, config, store
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
            counted_days=(self._now - self._first) / timedelta(days=1),
            sessions=sessions,
            files_read=scan.read,
            files_unchanged=scan.unchanged,
            rows=scan.rows,
            unreadable_rows=scan.unreadable,
            problems=tuple(f"{each.location}: {each.reason}" for each in scan.problems),
            archived=_describe_archive(archived) if archived else "",
            cleanup="; ".join(dict.fromkeys(find_cleanup_period(each).text for each in homes)),
            projects=tuple(projects),
            cost_usd=lessons.cost_usd,
            waiting=sum(self._count_waiting(each.project) for each in projects),
            teacher=lessons.obstacle,
            dry_run=self._request.dry_run,
        )

    def _archive(self, families: Sequence[Family]) -> ArchiveResult | None:
        if self._request.dry_run:
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
        chosen = self._request.project
        first, since, until = (format_time(each) for each in self._times)
        seen = count_sessions(self._database, first, until, chosen)
        recent = count_sessions(self._database, since, until, chosen)
        occurrences = load_occurrences(self._database, first, until)
        if chosen:
            seen, recent = ({str(chosen): sum(each.values(), Counter())} for each in (seen, recent))
            occurrences = [
                replace(each, project=str(chosen))
                for each in occurrences
                if is_in_project(each.project, chosen)
            ]
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

    @property
    def _times(self) -> tuple[datetime, datetime, datetime]:
        return self._first, self._since, self._now

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
        if files.is_folder(project):
            try:
                history = self._open_history(project)
            except (LoopError, TeacherError) as error:
                problem = str(error)
        else:
            problem = "its folder is not on this machine"
        found = self._find(occurrences, project, seen, history)
        if history is None:
            outcomes = [FindingReport(each, "") for each in found]
            return replace(report, findings=tuple(outcomes), problem=problem)
        proposer = FindingProposer(
            project, self._proposals, history.list_records(), dry_run=self._request.dry_run
        )
        outcomes = [proposer.propose(each, seen) for each in found]
        stored = refresh_proposals(
            self._proposals,
            self._proposals.list_proposals(name),
            history,
            self._store.directory,
        )
        starts = list_starts(self._database, project)
        follow_ups = follow_up_proposals(stored, occurrences, starts, self._lookback)
        return replace(report, findings=tuple(outcomes), follow_ups=follow_ups)

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
        """Return the findings that occurred in the reviewed period, what recurs most first."""
        records = history.list_records() if history else ()
        find_rule = create_rule_finder(self._database, records)
        found = find_findings(
            occurrences,
            {str(project): seen},
            allow_rules=read_allow_rules(project, os.environ),
            find_loaded_rule=find_rule,
        )
        since = format_time(self._since)
        return [each for each in found if max(one.at for one in each.evidence) >= since]

    # ---- teaching

    def _teach(self, projects: Sequence[ProjectReport]) -> "_Lessons":
        """Ask the teacher about the proposals that wait for it, within the limits of a review."""
        lessons = _Lessons()
        if self._request.dry_run:
            return lessons
        waiting = self._list_untaught(projects)
        chosen = waiting[: self._config.review.max_lessons]
        if not chosen:
            return lessons
        account = self._open_account()
        for name in dict.fromkeys(each.project for each in chosen):
            loaded = load_trusted_config(Path(name), None, of=TEACHING)
            of_project = [each for each in chosen if each.project == name]
            round_ = teach_proposals(of_project, loaded, self._store, account, self._listener)
            self._record_lessons(round_, lessons)
        if len(waiting) > len(lessons.decided) and not lessons.obstacle:
            left = format_count(len(waiting) - len(lessons.decided), "proposal")
            lessons.obstacle = f"{left} more for the next review (review.max_lessons)"
        lessons.cost_usd = account.ledger.sum_run(account.run)
        return lessons

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

    def _record_lessons(self, round_: TeachingRound, lessons: "_Lessons") -> None:
        for each in round_.taught:
            if each.status is ProposalStatus.WAITING:
                stored = self._proposals.attach_rule(each.proposal.id, each.rule)
            else:
                stored = self._proposals.decide(
                    each.proposal.id, each.status, each.reason, each.rule
                )
            lessons.decided[stored.id] = stored
        if round_.obstacle:
            lessons.obstacle = f"not asked about all of it: {round_.obstacle}"

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
    if proposal.is_open:
        return f"{describe_open(proposal)} (rule {proposal.rule})"
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


=======
>>>>>>> main
def _find_last_review(store: Store, scope: str) -> tuple[datetime, datetime] | None:
    """Return when the last review of a scope was made, and until when it has looked."""
    rows = store.database.fetch_rows(
        "SELECT started, until FROM reviews WHERE scope IN (?, ?) ORDER BY id DESC LIMIT 1",
        (scope, _ALL),
    )
    with store.database.explain_damage():
        return (
            (datetime.fromisoformat(rows[0][0]), datetime.fromisoformat(rows[0][1]))
            if rows
            else None
        )


def _record_review(store: Store, scope: str, report: ReviewReport) -> Path:
    """Write the report to a file of its owner, and record the review; return the file."""
    text = "\n".join(iter_report_lines(report)) + "\n"
    path = reviews_folder(store.directory) / f"{report.started:%Y-%m-%d-%H%M%S}.md"
    try:
        make_private_folder(path.parent)
        files.write_file(path, text.encode("utf-8", "replace"), 0o600)
    except OSError as error:
        raise build_state_error(store.directory, error) from error
    store.database.write(
        "INSERT INTO reviews (started, ended, scope, since, until, report)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            report.started.isoformat(),
            datetime.now(UTC).isoformat(),
            scope,
            report.since.isoformat(),
            report.until.isoformat(),
            text,
        ),
    )
    return path
