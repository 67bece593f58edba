"""Say what came of a run in a lane: its work and what it learned as commits, and its own check.

refs/orchestrator/work/<run>       what the run changed, without rules, logs and the list
refs/orchestrator/learned/<run>    all that it left, with the rules
"""

import contextlib
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.errors import LoopError, UsageError
from orchestrator.failures.log_excerpt import clean_text, shorten_to_line, truncate_middle
from orchestrator.failures.suite_failure import build_failure
from orchestrator.masking import Masker
from orchestrator.models import Attempt, CaseOutcome, RunRecord, RunResult
from orchestrator.platform import files, process
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.platform.orphans import reap_orphans
from orchestrator.platform.watchdog import EndReason
from orchestrator.services.isolation import locate_originals
from orchestrator.services.rulebooks import resolve_rule_files
from orchestrator.session_hooks.writeahead.locations import LEARNINGS
from orchestrator.storage.run_costs import sum_run_cost
from orchestrator.storage.runs import Store
from orchestrator.suites.command_line import parse_command
from orchestrator.suites.environment import build_project_environment
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import LaneRepository

WORK: Final = "refs/orchestrator/work/"
LEARNED: Final = "refs/orchestrator/learned/"

_CHECK_OUTPUT: Final = 4_000
_MOST_CASES: Final = 100


@dataclass(frozen=True)
class LanePaths:
    """Paths of a lane that are not a task's work, from the top of the repository."""

    private: tuple[str, ...]
    """The user's own files, which are never committed here."""
    rules: tuple[str, ...]
    """Files of rules and logs, and the list."""


def list_lane_paths(
    config: Config,
    state: Path,
    repository: LaneRepository,
    order: TaskOrder,
    lane: Path,
    top: Path,
) -> LanePaths:
    """Return what does not belong to the work of a run.

    Args:
        config: the configuration.
        state: the state directory.
        repository: that of the lane.
        order: the order of the run; `leave` has paths from the project's folder.
        lane: the project's folder in the lane.
        top: the top of the lane.
    """
    originals = locate_originals(state, order.run)
    private = {os.path.relpath(path, originals) for path in files.iter_files(originals)}
    inside = {repository.prefix + name for name in (CLAUDE_MD, LEARNINGS, *order.leave)}
    rule_files, real = resolve_rule_files(config, lane, state), top.resolve()
    with contextlib.suppress(LoopError):  # the agent has made one a link to somewhere else
        for name in rule_files.list_project_names():
            inside.add(repository.prefix + name)
            path = rule_files.resolve_path(name)  # it may be a link to another one
            if path.is_relative_to(real):
                inside.add(path.relative_to(real).as_posix())
    return LanePaths(tuple(sorted(private)), tuple(sorted(inside)))


def commit_lane(
    repository: LaneRepository,
    record: RunRecord,
    order: TaskOrder,
    top: Path,
    paths: LanePaths,
    included: Iterable[str],
) -> tuple[str, str]:
    """Commit what a run left, under own refs, and return the commits of work and learned.

    Called again for the same files, it returns the same commits.
    """
    private = (*paths.private, *(repository.prefix + path for path in included))
    return (
        _commit_files(repository, WORK + record.id, record, order, top, (*private, *paths.rules)),
        _commit_files(repository, LEARNED + record.id, record, order, top, private),
    )


def _commit_files(
    repository: LaneRepository,
    ref: str,
    record: RunRecord,
    order: TaskOrder,
    top: Path,
    leave: Sequence[str],
) -> str:
    commit = repository.snapshot_lane(top, order.base, format_message(record), leave)
    known = repository.read_ref(ref)
    if known and repository.tree_of(known) == repository.tree_of(commit):
        return known
    repository.set_ref(ref, commit)
    return commit


def format_message(record: RunRecord) -> str:
    """Return the message of the commits of a run."""
    subject = shorten_to_line(record.task.text, 72) or "A task"
    return f"{subject}\n\nRun: {record.id}\n"


def describe_end(
    store: Store, record: RunRecord, seconds: float, message: str, check_failed: str
) -> TaskEnd:
    """Return what came of a run, without its commits."""
    result = record.result
    last = result.attempts[-1] if result and result.attempts else None
    judged = last if last and last.report and not last.is_solved else None
    return TaskEnd(
        record.outcome,
        # A run in a lane is resumed by its list alone.
        (message or (result.message if result else "") or _explain_failure(result)).replace(
            "`orchestrator resume`", "`orchestrator tasks resume`"
        ),
        check_failed=check_failed,
        cost_usd=sum_run_cost(store.database, record.id).cost_usd,
        seconds=seconds,
        fingerprint=_compute_fingerprint(record, judged) if judged else "",
        failing=_list_failing(judged) if judged else (),
    )


def _explain_failure(result: RunResult | None) -> str:
    """Return why a run has failed whose result does not say it; empty if it has not."""
    last = result.attempts[-1] if result and result.attempts else None
    if result is None or last is None or last.verdict is None or last.is_solved:
        return ""
    baseline = result.baseline
    if (
        baseline
        and not baseline.has_passed
        and CaseOutcome.PASSED not in {case.outcome for case in baseline.cases}
    ):
        return (
            f"{last.verdict.text}; no test passed before the agent started either: if something "
            "is missing in a lane, see lanes.prepare and lanes.include"
        )
    return last.verdict.text


def _compute_fingerprint(record: RunRecord, attempt: Attempt) -> str:
    report = (attempt.is_tampered and attempt.own_report) or attempt.report
    baseline = record.result.baseline if record.result else None
    if report is None:
        return ""
    failure = build_failure(record.task, attempt.agent, report, baseline, None, attempt.findings)
    return failure.fingerprint


def _list_failing(attempt: Attempt) -> tuple[str, ...]:
    report = attempt.own_report or attempt.report
    return tuple(case.id for case in report.failing[:_MOST_CASES]) if report else ()


def run_check(
    command: str, config: Config, lane: Path, environment: Mapping[str, str], masker: Masker
) -> str:
    """Run a task's own check in a lane, and return what it printed if it failed; empty if passed.

    Args:
        command: the check; executed without a shell.
        config: `tests.timeout` is its limit.
        lane: the project's folder in the lane.
        environment: that of the lane.
        masker: removes secrets.

    Raises:
        UsageError: the command cannot be executed without a shell.
    """
    argv, variables = _split_check(command)
    env = {**build_project_environment(lane, environment), **variables}
    try:
        with reap_orphans():
            done = process.run(argv, cwd=lane, env=env, wall_clock=config.tests.timeout)
    except OSError as error:
        return f"{shorten_to_line(command, 200)}: {error.strerror}"
    if done.ended_by is EndReason.ITSELF and done.returncode == 0:
        return ""
    late = f"took longer than {config.tests.timeout:g} s (tests.timeout)"
    how = f"exit code {done.returncode}" if done.ended_by is EndReason.ITSELF else late
    printed = truncate_middle(clean_text(masker.mask(done.text)).strip(), _CHECK_OUTPUT)
    return f"{shorten_to_line(masker.mask(command), 200)}: {how}\n{printed}".strip()


def _split_check(command: str) -> tuple[list[str], Mapping[str, str]]:
    hint = "write the check as one program with its arguments; put more into a script"
    try:
        line = parse_command(command)
        shlex.split(command)
    except (LoopError, ValueError) as error:
        shown = shorten_to_line(command, 200)
        raise UsageError(f"the check of the task cannot be executed: {shown}", hint) from error
    if line.by_shell:
        shown = shorten_to_line(command, 200)
        raise UsageError(f"the check of the task needs a shell: {shown}", hint)
    return list(line.argv), line.variables
