"""Start a list of tasks, or go on with one."""

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator import events
from orchestrator.budget.ledger import Ledger
from orchestrator.config import Config, Override
from orchestrator.config.setting_hints import complete_hints
from orchestrator.counts import name_first
from orchestrator.errors import UsageError
from orchestrator.failures.record_masking import create_masked_listener
from orchestrator.masking import Masker
from orchestrator.platform.children import Children
from orchestrator.platform.project import resolve_project
from orchestrator.services import wiring
from orchestrator.services.combined_judge import SuiteJudge
from orchestrator.services.dry_run import check_parts
from orchestrator.services.judge_tree import JudgeTree
from orchestrator.services.lane_rules import LaneRuleWriter
from orchestrator.services.lane_runs import LaneRunner
from orchestrator.services.list_locks import lock_list, require_finished
from orchestrator.services.list_proposals import ProposalFinder
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.runs import mask_run_config
from orchestrator.services.suite_choice import choose_suite
from orchestrator.services.task_checks import require_trusted_checks
from orchestrator.services.task_preview import build_clash
from orchestrator.services.task_views import advise_next_steps, summarize_record
from orchestrator.services.teacher_notices import report_unused_settings
from orchestrator.services.trust import format_command, load_trusted_config
from orchestrator.storage.runs import Store, create_run_id
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.events import CombinedSuiteStarted, ListStarted
from orchestrator.tasks.merging import MergeQueue
from orchestrator.tasks.models import (
    ListOptions,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskList,
    TaskState,
)
from orchestrator.tasks.ports import TaskRunner
from orchestrator.tasks.prompts import PromptBuilder
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.scheduler import Scheduler
from orchestrator.tasks.store import TaskStore
from orchestrator.tasks.syncing import read_list_again, sync_items
from orchestrator.tasks.watching import LaneWatch
from orchestrator.workspace.lane_base import is_secret_name
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository

_EXIT_CODES = {
    ListStatus.COMPLETE: 0,
    ListStatus.ENDED: 1,
    ListStatus.STOPPED: 3,
    ListStatus.INTERRUPTED: 130,
}


def exit_code(summary: ListSummary) -> int:
    """Return the exit code of the program for how a list ended."""
    record = summary.record
    if record.options.once and record.status is ListStatus.ENDED:
        return int(summary.finished == 0)
    return _EXIT_CODES.get(record.status, 0)


def start_list(
    source: str,
    project: Path,
    config_file: Path | None = None,
    overrides: Sequence[Override] = (),
    options: ListOptions | None = None,
    *,
    tasks: TaskList | None = None,
    new_list: bool = False,
    listener: events.Listener,
    environment: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> ListSummary:
    """Read a list, record it, and work on it until nothing more can run.

    Args:
        source: a file, a folder, or `github:LABEL`.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: values that take precedence over the file's.
        options: how it is worked on.
        tasks: the list, if it was not read from a source.
        new_list: whether to start it although an earlier list of the source is not finished.
        listener: receives the events, possibly in threads other than the caller's.
        environment: environment variables for agents, teacher and configuration; those of this
            process if None.
        state: the state directory; the user's if None.

    Raises:
        LoopError, TeacherError: a requirement is missing or invalid; nothing was started.
    """
    project, environment = resolve_project(project), environment or os.environ
    options, state = options or ListOptions(), state or resolve_state_directory()
    tasks = tasks or read_list(source, project)
    if not any(not each.done for each in tasks.items):
        raise UsageError(f"every task of {source} is done", "add one, or untick one")
    identity = create_run_id()
    with Store(state) as store:
        loaded = load_trusted_config(
            project, config_file, overrides, environment, state=store.directory
        )
        require_trusted_checks(tasks, project, loaded.config, store.directory)
        loaded = choose_suite(loaded, project, environment, listener, tasks.items[0].text)
        report_project_choices(loaded, listener)
        report_unused_settings(loaded, listener)
        config = loaded.config
        if options.max_cost_usd is None:
            options = replace(options, max_cost_usd=config.tasks.max_cost_usd)
        options = replace(options, parallel=options.parallel or config.queue.fleet_lanes)
        masker = wiring.build_masker(config, environment, store.directory)
        given = [each.key for each in overrides]
        masked = mask_run_config(loaded, project, config_file, masker, store, given)
        repository = _open_repository(project, state, identity)
        with (
            lock_list(identity, tasks.source, project, store),
            complete_hints(config, loaded.origins, format_command(project)),
        ):
            if not new_list:
                require_finished(tasks.source, project, store)
            if not options.queue:  # else the workers have agent, teacher and keys
                check_parts(config, project, environment)
            base = repository.create_base()
            _report_base(repository, listener)
            TaskStore(store.database).create_list(
                identity, project, tasks.source, tasks.format, options, masked, base, tasks.items
            )
            work = _ListWork(identity, tasks, config, environment, store, repository, masker)
            return work.run(listener, resumed=False)


def resume_list(
    identity: str,
    *,
    project: Path | None = None,
    listener: events.Listener,
    options: ListOptions | None = None,
    environment: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> ListSummary:
    """Go on with a list where it stopped, with the configuration it was started with.

    The list is read again: what a person has added, removed or ticked since then counts.

    Args:
        identity: the list's id, the beginning of it, or `last`.
        project: the directory of the project whose `last` is meant; None for all projects.
        listener: receives the events.
        options: how it is worked on from now on; as before if None.
        environment: environment variables; those of this process if None.
        state: the state directory; the user's if None.

    Raises:
        LoopError, TeacherError: there is no such list, or it cannot go on.
    """
    environment, state = environment or os.environ, state or resolve_state_directory()
    folder = resolve_project(project) if project else None
    with Store(state) as store:
        lists = TaskStore(store.database)
        record = lists.find_list(identity, folder)
        if not list_folder(state, record.id).is_dir():
            raise UsageError(
                f"the lanes of the list {record.id} are not on this machine",
                "go on where it was started, or start it again",
            )
        home = resolve_project(record.project)
        config = wiring.restore_config(store, lists.read_config(record.id), home, environment)
        with lock_list(record.id, record.source, home, store):
            tasks = read_list_again(lists, record, home)
            require_trusted_checks(tasks, home, config, store.directory)
            if not (options or record.options).queue:
                check_parts(config, home, environment)
            sync_items(lists, record, tasks)
            # `once` holds for one command only.
            lists.claim_list(record.id, options or replace(record.options, once=False))
            repository = _open_repository(home, state, record.id)
            masker = wiring.build_masker(config, environment, store.directory)
            work = _ListWork(record.id, tasks, config, environment, store, repository, masker)
            return work.run(listener, resumed=True)


@dataclass(frozen=True)
class _ListWork:
    """A list whose lock this process holds, with all that working on it needs."""

    identity: str
    tasks: TaskList
    config: Config
    environment: Mapping[str, str]
    store: Store
    repository: LaneRepository
    masker: Masker

    def run(self, listener: events.Listener, *, resumed: bool) -> ListSummary:
        """Work on the list until nothing more can run."""
        emit = create_masked_listener(self.masker, listener)
        lists = TaskStore(self.store.database)
        with Children(self.identity).collect() as children:
            try:
                self._predict_files(lists, emit)
                record = lists.find_list(self.identity)
                tasks = lists.load_tasks(self.identity)
                before = sum(each.state is TaskState.DONE for each in tasks)
                emit(ListStarted(record, tuple(tasks), resumed))
                with self._open_runner(record, lists, emit) as runner:
                    ended = self._build_scheduler(record, lists, runner, emit).run_list()
            finally:
                children.end_all()
        summary = summarize_record(ended, lists)
        done = sum(each.state is TaskState.DONE for each in summary.tasks)
        return replace(summary, finished=done - before)

    def _predict_files(self, lists: TaskStore, emit: events.Listener) -> None:
        record = lists.find_list(self.identity)
        if record.options.parallel == 1 or not self.config.lanes.predict:
            return
        unknown = [
            each
            for each in lists.load_tasks(self.identity)
            if each.state is TaskState.WAITING and each.item.files is None
        ]
        from orchestrator.services.file_prediction import ModelPredictor  # asks Claude Code

        predictor = ModelPredictor(
            self.config, record.project, self.store, self.environment, emit, self.identity
        )
        found = predictor.predict_files(unknown) if unknown else {}
        for each in unknown:
            if files := found.get(each.item.id):
                lists.replace_item(self.identity, replace(each.item, files=files))

    @contextlib.contextmanager
    def _open_runner(
        self, record: ListRecord, lists: TaskStore, emit: events.Listener
    ) -> Iterator[TaskRunner]:
        stored = lists.read_config(record.id)
        if record.options.queue:
            from orchestrator.services.queue_runner import QueueRunner  # imports DBOS

            yield QueueRunner(
                record.project, self.config, stored, self.repository, self.store.database, emit
            )
            return
        runner = LaneRunner(
            record.project,
            stored,
            self.repository,
            self.store,
            emit,
            self.environment,
        )
        try:
            yield runner
        finally:
            runner.close()

    def _build_scheduler(
        self, record: ListRecord, lists: TaskStore, runner: TaskRunner, emit: events.Listener
    ) -> Scheduler:
        tree = JudgeTree(
            self.repository,
            self.repository.folder.parent,
            record.project,
            self.config,
            self.store.directory,
            self.environment,
            self.masker,
        )
        judge = SuiteJudge(tree, emit)
        rules = LaneRuleWriter(tree, self.store, emit, self._name_run(lists))
        return Scheduler(
            record,
            self.tasks,
            self.config,
            lists,
            runner,
            MergeQueue(record, self.repository, judge, rules, _report_judging(emit)),
            None if record.options.queue else LaneWatch(self.repository),
            PromptBuilder(self.repository, Path(self.tasks.source).name, self.masker.mask),
            build_clash(self.config, record.project),
            emit,
            ProposalFinder(record, self.tasks, lists, self.repository).find_proposals,
            self._find_room,
            self._find_extra_cost,
            self._publish(record, emit),
            partial(advise_next_steps, state=self.store.directory),
        )

    def _find_room(self, without: Collection[str]) -> float | None:
        """Return what the limit of a day leaves; see `Ledger.find_day_room`."""
        cap = self.config.limits.max_cost_usd_per_day
        return None if cap is None else Ledger(self.store.database).find_day_room(cap, without)

    def _find_extra_cost(self) -> float:
        """Return what predictions and conflicts have cost; the list itself pays them."""
        return Ledger(self.store.database).sum_run(self.identity)

    def _name_run(self, lists: TaskStore) -> Callable[[str], str]:
        """Return a function that gives the title of the task of a run."""

        def name_run(run: str) -> str:
            task = lists.find_task_of_run(run)
            return lists.load_task(self.identity, task).item.title if task else run

        return name_run

    def _publish(self, record: ListRecord, emit: events.Listener) -> Callable[[str], str]:
        """Return a function that brings a tip into the user's repository, or says why not."""
        said = set[str]()

        def publish(tip: str) -> str:
            obstacle = self.repository.publish(tip, record.branch)
            if obstacle and obstacle not in said:
                said.add(obstacle)
                emit(events.Notice(f"the branch {record.branch} is not up to date: {obstacle}"))
            return obstacle

        return publish


def _report_judging(emit: events.Listener) -> Callable[[tuple[str, ...]], None]:
    return lambda tasks: emit(CombinedSuiteStarted(tasks))


def _open_repository(project: Path, state: Path, identity: str) -> LaneRepository:
    return open_lane_repository(project, list_folder(state, identity) / "repository.git")


def _report_base(repository: LaneRepository, listener: events.Listener) -> None:
    if repository.uncommitted:
        named = name_first(repository.uncommitted)
        listener(
            events.Notice(f"the lanes start with your uncommitted work, as one commit: {named}")
        )
    if secrets := [path for path in repository.withheld if is_secret_name(path)]:
        named = name_first(secrets)
        listener(events.Notice(f"left out, because the name is that of a secret: {named}"))
