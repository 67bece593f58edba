"""Define a list, its tasks, and how they stand.

Longer than 350 lines: it is the words of one package, each with what it means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator.models import RunOutcome

DEFAULT_PRIORITY: Final = 5
"""Priority of a task that names none; 1 is the most urgent, 9 the least."""
NOT_TICKED: Final = "its line in the list"
"""How the reason of a task begins that is done, and whose box could not be ticked."""
MOST_LANES: Final = 7
"""Most lanes of one machine that work on one list."""


class ListFormat(StrEnum):
    """How a list is written. The values are stored and printed."""

    MARKDOWN = "markdown"
    """Checkboxes: fix_plan.md, tasks.md, the form of spec-kit."""
    PRD = "prd.json"
    """`userStories` with `passes`."""
    FOLDER = "folder"
    """A Markdown file for each task."""
    GITHUB = "github"
    """Issues, read by `gh`."""
    TEXT = "text"
    """One task that was given as a text."""


@dataclass(frozen=True)
class TaskItem:
    """A task as a list has it."""

    id: str
    """`T012` as written, or a hash of its text."""
    title: str
    """One line."""
    text: str
    """What the agent is asked, details and acceptance criteria included."""
    position: int
    """Its place in the list, from 0."""
    done: bool = False
    """Whether the list says that it is done."""
    depends: tuple[str, ...] = ()
    """Ids of the tasks that have to be done before."""
    priority: int = DEFAULT_PRIORITY
    parallel: bool = False
    """Whether it is marked `[P]`: different files from others, no hidden dependency."""
    files: tuple[str, ...] | None = None
    """Globs of the files that it will change, from the project's folder; None if not known."""
    check: str = ""
    """A command that fails before and passes after; empty if there is none."""
    hold: str = ""
    """Why a person wants it to wait; empty if it may run."""
    no_change: bool = False
    """Whether it may be done without a change of a file."""
    line: int = 0
    """Number of its line in the list, from 1; 0 where it has none."""
    path: str = ""
    """Its file, where each task has one of its own."""
    proposed: bool = False
    """Whether an agent has added it, so that it is in no list of a person."""


@dataclass(frozen=True)
class TaskList:
    """A list as it was read."""

    format: ListFormat
    source: str
    """The path of the file or folder, or `github:LABEL`, or empty for a text."""
    items: tuple[TaskItem, ...]


class TaskState(StrEnum):
    """Where a task stands. The values are stored and printed."""

    WAITING = "waiting"
    """It has not been started, or goes back for another run."""
    RUNNING = "running"
    MERGING = "merging"
    """Its run is solved; its commit waits for the merge queue."""
    LANDED = "landed"
    """It is on the list's branch; the box may not be ticked yet."""
    DONE = "done"
    QUARANTINED = "quarantined"
    """It failed too often: it is not chosen again by itself, and blocks its dependents only."""
    NEEDS_PERSON = "needs a person"
    HELD = "on hold"
    """The list says so."""
    PROPOSED = "proposed"
    """An agent has added it to the list; it runs only when a person adds it."""
    REMOVED = "removed"
    """It is no longer in the list."""


FINISHED: Final = (TaskState.LANDED, TaskState.DONE)
"""States of a task that does not block its dependents."""
UNFINISHED: Final = (TaskState.WAITING, TaskState.RUNNING, TaskState.MERGING)
"""States of a task that the list still has work with."""
GIVEN_UP: Final = (TaskState.QUARANTINED, TaskState.NEEDS_PERSON)
"""States of a task that waits for a person."""


@dataclass(frozen=True)
class TaskRecord:
    """A task as the database stores it."""

    list_id: str
    item: TaskItem
    state: TaskState
    reason: str = ""
    """Why it stands there, in one line."""
    failures: int = 0
    """Runs that did not solve it."""
    returns: int = 0
    """How often the merge queue has sent it back."""
    run: str = ""
    """Its latest run, or the job that makes one."""
    lane: int = 0
    """Number of the lane that it runs in, from 1; 0 if it does not run here."""
    base: str = ""
    """The commit that its latest run starts from."""
    work: str = ""
    """The commit with what its latest run has left; its parent is the base."""
    landed: str = ""
    """Its commit on the list's branch."""
    hint: str = ""
    """What its next run reads about the last one: failing tests, and where its diff is."""
    after: str = ""
    """Id of a task that has to land first, because the two changed the same lines; or empty."""
    reserved_usd: float = 0.0
    """US dollars that its run may still spend."""
    cost_usd: float = 0.0
    """What all its runs have cost."""
    seconds: float = 0.0
    """How long all its runs have taken."""
    updated: datetime | None = None

    @property
    def is_unpublished(self) -> bool:
        """Whether its work has landed, and could not be brought into the user's repository."""
        return self.state is TaskState.LANDED and bool(self.reason)

    @property
    def is_done(self) -> bool:
        """Whether nobody has anything to do with it any more."""
        return self.state in FINISHED and not self.is_unpublished


class ListStatus(StrEnum):
    """How a list stands. The values are stored and printed."""

    RUNNING = "running"
    COMPLETE = "complete"
    """Every task is done."""
    ENDED = "ended"
    """Nothing more can run: what is left is blocked, on hold, quarantined or needs a person."""
    STOPPED = "stopped"
    """A breaker, or an infrastructure error."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class ListOptions:
    """How a list is worked on; stored with it."""

    parallel: int = 1
    """Most runs at a time; 0, with workers, for as many as `queue.fleet_lanes` allows."""
    queue: bool = False
    """Whether workers do the runs."""
    once: bool = False
    """Whether to stop after one task."""
    max_cost_usd: float | None = None
    """US dollars for all runs of the list together."""


@dataclass(frozen=True)
class ListRecord:
    """A list as the database stores it."""

    id: str
    project: Path
    source: str
    format: ListFormat
    options: ListOptions
    branch: str
    """The branch in the user's repository that the work lands on."""
    base: str
    """The commit that the list started from, with the user's uncommitted work."""
    tip: str
    """The last commit that is known to be on the branch."""
    status: ListStatus
    message: str
    started: datetime
    ended: datetime | None = None


@dataclass(frozen=True)
class TaskOrder:
    """What a runner is asked to do: one run of one task."""

    list_id: str
    task: str
    run: str
    """The id that the run will have, or that of the job that makes it."""
    prompt: str
    """The task as its list has it: what the verdict rests on."""
    base: str
    priority: int
    max_cost_usd: float
    """What the run may spend, in US dollars; it is reserved. 0 for no limit of its own."""
    lane: int = 0
    check: str = ""
    leave: tuple[str, ...] = ()
    """Paths from the project's folder that do not belong to the work: the list itself."""
    context: str = ""
    """What the agent reads beside the task."""


@dataclass(frozen=True)
class TaskEnd:
    """What came of a run of a task."""

    outcome: RunOutcome
    message: str = ""
    work: str = ""
    """The commit of its work, without rules and without the list; its parent is the base. Empty
    if nothing could be committed."""
    learned: str = ""
    """The commit of all that it left, with what it learned; its parent is the base."""
    changed: tuple[str, ...] = ()
    """Paths that differ between base and work."""
    check_passed_before: bool = False
    """Whether the task's own check passed before, so that no agent was started."""
    check_failed: str = ""
    """What the task's own check printed if it failed after the run; empty if it passed."""
    cost_usd: float = 0.0
    seconds: float = 0.0
    fingerprint: str = ""
    """That of the failure of the last attempt; empty if it was solved."""
    failing: tuple[str, ...] = ()
    """Ids of the cases that failed in the last attempt."""
    unseen: tuple[str, ...] = ()
    """Files that it left and that its work has not: those that git ignores, secret and huge ones.
    Its suite may have been green because of them."""


@dataclass(frozen=True)
class Work:
    """A run of a task that has ended, on its way through the merge queue."""

    record: TaskRecord
    end: TaskEnd
    solved: bool
    """Whether its work may land; otherwise only what it learned is brought to the branch."""


@dataclass(frozen=True)
class CombinedVerdict:
    """What the suite says about the tree of several works together."""

    green: bool
    failing: tuple[str, ...] = ()
    """Ids of the cases that fail there and not on the tip."""
    output: str = ""
    """An excerpt of what they printed."""
    message: str = ""
    """Why there is no verdict, or why it is not green, in one line."""


@dataclass(frozen=True)
class LaneConflict:
    """Two lanes that changed the same lines."""

    older: str
    """Id of the task that was started first."""
    younger: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class DigestEntry:
    """A task that has ended, as the next ones read about it."""

    title: str
    outcome: str
    files: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Public names that were added, renamed or removed, with a sign before."""
    problem: str = ""


@dataclass(frozen=True)
class ListSummary:
    """A list with its tasks, as the board shows it."""

    record: ListRecord
    tasks: tuple[TaskRecord, ...]
    blocked: Mapping[str, str] = field(default_factory=dict)
    """Why a waiting task cannot start, by its id."""
    seconds_left: float | None = None
    """Estimated from the tasks that have ended; None before the first."""
    finished: int = 0
    """How many tasks were done by the process that returns this."""


@dataclass(frozen=True)
class ListPreview:
    """What a list would do."""

    tasks: tuple[TaskRecord, ...]
    """All tasks, with the files that they are predicted to change."""
    order: tuple[str, ...]
    """Ids of those that would run, in the order of starting."""
    batches: tuple[tuple[str, ...], ...]
    """Ids of those that would run side by side."""
    blocked: Mapping[str, str]
    """Why a task cannot start, by its id."""
    estimate_usd: float | None
    """What all runs would cost: the median of past runs, for each task; None without any."""
    estimate_seconds: float | None
    lanes: int
    problem: str = ""
    """Why the list would not start; empty if all that it needs is there."""
    apart: Mapping[str, str] = field(default_factory=dict)
    """Why a task does not run beside others, by its id."""
    past_runs: int = 0
    """How many runs the estimate is made from."""


class LeftoverKind(StrEnum):
    """What a list has left in the state directory. The values are printed."""

    LANE = "lane"
    REPOSITORY = "repository"


@dataclass(frozen=True)
class Leftover:
    """Something that a list has left in the state directory."""

    list_id: str
    kind: LeftoverKind
    path: Path
    size: int
    """Bytes."""
    reason: str
    """Why it can be deleted, or why it is kept."""
    removable: bool
    ref: str = ""
    """The ref of unmerged work; empty if all of it has landed."""
    command: str = ""
    """The shell command that shows unmerged work."""
