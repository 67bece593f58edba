"""The commands of task lists: what they ask of the service, what they print, how they exit.

The service is a fake: what a list really does is tested in tests/services and tests/tasks.
"""

import json
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orchestrator.services
from orchestrator.cli.task_options import MOST_LANES, _complete_parallel
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform.liveness import mark_process
from orchestrator.services.lane_count import choose_lane_count
from orchestrator.services.task_views import iter_next_steps
from orchestrator.tasks import models
from orchestrator.tasks.fleet.models import WorkerRecord, WorkerState
from orchestrator.tasks.models import (
    Leftover,
    LeftoverKind,
    ListOptions,
    ListPreview,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskState,
)
from tests.cli.conftest import Call, Shop
from tests.cli.task_records import (
    LIST,
    STARTED,
    build_record,
    build_summary,
    build_task,
    iter_events,
)

SEAMS = {
    "task_lists": ("start_list", "resume_list", "exit_code"),
    "task_preview": ("preview_list",),
    "task_views": (
        "summarize_list",
        "summarize_lists",
        "iter_next_steps",
        "retry_task",
        "cancel_list",
    ),
    "task_cleaning": ("list_leftovers", "remove_leftovers"),
}
"""What the commands import of which service."""
CODES = {
    ListStatus.COMPLETE: 0,
    ListStatus.ENDED: 1,
    ListStatus.STOPPED: 3,
    ListStatus.INTERRUPTED: 130,
}


@dataclass
class FakeService:
    """A service that remembers what it was asked, and answers from a made-up list."""

    project: Path
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: ListStatus = ListStatus.COMPLETE
    problem: str = ""
    error: Exception | None = None
    leftovers: tuple[Leftover, ...] = ()
    lists: int = 0
    statuses: list[ListStatus] = field(default_factory=list)
    """What `summarize_list` says one after the other; then `status`."""

    def asked(self, name: str) -> dict[str, Any]:
        """Return the arguments of the only call of this name."""
        (values,) = (values for called, values in self.calls if called == name)
        return values

    def _record(self, name: str, **values: Any) -> None:
        self.calls.append((name, values))
        if self.error:
            raise self.error

    def summary(self) -> ListSummary:
        status = self.statuses.pop(0) if self.statuses else self.status
        return build_summary(project=self.project.resolve(), status=status)

    def start_list(
        self, source: str, project: Path, config_file: Path | None, overrides: Any,
        options: ListOptions, *, tasks: Any = None, new_list: bool, listener: Callable[..., None],
    ) -> ListSummary:  # fmt: skip
        self._record(
            "start",
            new_list=new_list,
            source=source,
            project=project,
            config_file=config_file,
            overrides=overrides,
            options=options,
            tasks=tasks,
        )
        for event in iter_events():
            listener(event)
        return self.summary()

    def preview_list(
        self, source: str, project: Path, config_file: Path | None, overrides: Any,
        options: ListOptions, *, tasks: Any = None,
    ) -> ListPreview:  # fmt: skip
        self._record("preview", source=source, options=options, tasks=tasks)
        task = build_task("T001", "Fix it", TaskState.WAITING)
        return ListPreview(
            (task,), ("T001",), (("T001",),), {}, None, None, options.parallel, self.problem
        )

    def resume_list(
        self, identity: str, *, project: Path, listener: Callable[..., None],
        options: ListOptions | None = None,
    ) -> ListSummary:  # fmt: skip
        self._record("resume", identity=identity, project=project, options=options)
        return self.summary()

    def summarize_lists(self) -> list[ListSummary]:
        return [self.summary()] * self.lists

    def summarize_list(self, identity: str, project: Path | None = None) -> ListSummary:
        self._record("summarize", identity=identity, project=project)
        if identity not in ("last", LIST) and not LIST.startswith(identity):
            raise UsageError(f"there is no task list {identity}", "see tasks status --all")
        return self.summary()

    def iter_next_steps(self, record: ListRecord, tasks: Any) -> Any:
        return iter_next_steps(record, tasks)

    def retry_task(self, identity: str, task: str, project: Path) -> None:
        self._record("retry", identity=identity, task=task, project=project)

    def cancel_list(self, identity: str, project: Path) -> None:
        self._record("cancel", identity=identity, project=project)

    def list_leftovers(self, project: Path | None) -> tuple[Leftover, ...]:
        self._record("leftovers", project=project)
        return self.leftovers

    def remove_leftovers(self, leftovers: list[Leftover]) -> list[Leftover]:
        self._record("remove", leftovers=leftovers)
        return leftovers

    def exit_code(self, summary: ListSummary) -> int:
        return CODES[summary.record.status]


@pytest.fixture
def service(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> FakeService:
    fake = FakeService(shop.project)
    for seam, names in SEAMS.items():
        module = types.ModuleType(f"orchestrator.services.{seam}")
        for name in names:
            setattr(module, name, getattr(fake, name))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(orchestrator.services, seam, module, raising=False)
    return fake


# ---- run


def test_a_list_is_run_with_what_was_asked(call: Call, service: FakeService) -> None:
    done = call("tasks", "run", "plan.md", "--parallel", "3", "--once", "--max-cost-usd", "2.5",
                "--tests", "pytest -q", "--model", "m-1")  # fmt: skip
    assert done.code == 0
    asked = service.asked("start")
    assert asked["source"] == "plan.md"
    assert asked["options"] == ListOptions(parallel=3, once=True, max_cost_usd=2.5)
    keys = {each.key: each.value for each in asked["overrides"]}
    assert keys["claude.model"] == "m-1"
    assert keys["tests.command"] == "pytest -q"
    assert "limits.max_cost_usd" not in keys, "it is the limit of the list, not of each run"
    assert "T001       landed: commit 4f2a91c0d, 2 files" in done.out


def test_the_command_line_knows_the_most_lanes() -> None:
    assert MOST_LANES == models.MOST_LANES


def test_by_default_one_task_at_a_time(call: Call, service: FakeService) -> None:
    assert call("tasks", "run", "plan.md").code == 0
    assert service.asked("start")["options"] == ListOptions()


@pytest.mark.parametrize(
    "words",
    [("--parallel", "plan.md"), ("plan.md", "--parallel"), ("plan.md", "--parallel", "--once"),
     ("--parallel", "auto", "plan.md"), ("--parallel", "--", "plan.md")],
    ids=" ".join,
)  # fmt: skip
def test_without_a_number_the_machine_decides(
    call: Call, service: FakeService, words: tuple[str, ...]
) -> None:
    assert call("tasks", "run", *words).code == 0
    asked = service.asked("start")
    assert asked["source"] == "plan.md"
    assert asked["options"].parallel == choose_lane_count()


@pytest.mark.parametrize("value", ["0", "8", "-1", "1.5", "nan", "inf", "1e1", "10000000000000"])
def test_a_number_of_lanes_out_of_range_is_refused(
    call: Call, service: FakeService, value: str
) -> None:
    done = call("tasks", "run", "plan.md", "--parallel", value)
    assert done.code == 2
    assert f"{value} is not a number from 1 to 7" in done.err
    assert service.calls == []


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_an_amount_that_is_none_is_refused(call: Call, service: FakeService, value: str) -> None:
    done = call("tasks", "run", "plan.md", "--max-cost-usd", value)
    assert done.code == 2
    assert "is not an amount; give US dollars above 0" in done.err
    assert service.calls == []


@pytest.mark.parametrize("status", CODES)
def test_the_exit_code_says_how_the_list_ended(
    call: Call, service: FakeService, status: ListStatus
) -> None:
    service.status = status
    assert call("tasks", "run", "plan.md").code == CODES[status]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("plan.md does not exist", "give a file with boxes"), 2),
        (UsageError("plan.md has no box", "write `- [ ] what to do`"), 2),
        (InfrastructureError(f"another process works on the list {LIST}", "see status"), 3),
    ],
    ids=["no file", "no box", "another process"],
)
def test_what_the_service_refuses_is_one_line(
    call: Call, service: FakeService, error: Exception, code: int
) -> None:
    service.error = error
    done = call("tasks", "run", "plan.md")
    assert (done.code, done.out) == (code, "")
    assert done.err == f"orchestrator: {error}\n"


def test_events_are_printed_as_json(call: Call, service: FakeService) -> None:
    done = call("tasks", "run", "plan.md", "--json")
    names = [event["event"] for event in done.events]
    assert names[0] == "list_started"
    assert names[-1] == "list_ended"
    (landed,) = (each for each in done.events if each["event"] == "task_landed")
    assert landed["record"]["item"]["id"] == "T001"
    assert landed["files"] == 2


def test_a_dry_run_starts_nothing(call: Call, service: FakeService) -> None:
    done = call("tasks", "run", "plan.md", "--dry-run", "--parallel", "2")
    assert done.code == 0
    assert [name for name, _ in service.calls] == ["preview"]
    assert "order    1. T001 Fix it (priority 5)" in done.out
    assert json.loads(call("tasks", "run", "plan.md", "--dry-run", "--json").out)["lanes"] == 1


def test_a_dry_run_says_why_the_list_would_not_start(call: Call, service: FakeService) -> None:
    service.problem = "no tests were found"
    done = call("tasks", "run", "plan.md", "--dry-run")
    assert done.code == 2
    assert "T001" in done.out
    assert done.err == "orchestrator: no tests were found\n"


@given(st.lists(st.sampled_from(["--parallel", "--parallel=2", "3", "x", "--", "auto", "-1"])))
def test_completing_loses_no_word(words: list[str]) -> None:
    completed = _complete_parallel(words)
    assert [each.partition("=")[0] for each in completed] == [
        each.partition("=")[0] for each in words
    ]


@pytest.mark.parametrize(
    ("cores", "gigabytes", "lanes"), [(2, 8, 2), (16, 64, 7), (8, 1, 1), (1, 64, 1), (64, 0, 1)]
)
def test_lanes_depend_on_cores_and_memory(cores: int, gigabytes: int, lanes: int) -> None:
    assert choose_lane_count(cores, gigabytes * 2**30) == lanes


# ---- a task in the queue


def test_a_single_task_goes_to_the_queue(
    call: Call, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_fake_reading(monkeypatch)
    done = call("run", "Fix the sum.", "--queue", "--max-cost-usd", "1", "--max-retries", "2")
    assert done.code == 0
    asked = service.asked("start")
    assert (asked["source"], asked["tasks"]) == ("", "list of: Fix the sum.")
    assert asked["options"] == ListOptions(parallel=0, queue=True, max_cost_usd=1.0)
    assert {each.key for each in asked["overrides"]} == {"learning.max_retries"}
    assert call("run", "Fix the sum.", "--queue", "--dry-run").code == 0
    assert service.asked("preview")["tasks"] == "list of: Fix the sum."


@pytest.mark.parametrize(
    ("workers", "says"),
    [
        ([], True),
        ([(WorkerState.SERVING, False)], True),
        ([(WorkerState.DRAINING, True)], True),
        ([(WorkerState.SERVING, False), (WorkerState.SERVING, True)], False),
    ],
    ids=["none", "dead", "draining", "alive"],
)
def test_without_a_worker_that_takes_jobs_a_notice_says_so(
    call: Call,
    service: FakeService,
    monkeypatch: pytest.MonkeyPatch,
    workers: list[tuple[WorkerState, bool]],
    says: bool,
) -> None:
    found = [build_worker(state, is_alive) for state, is_alive in workers]
    monkeypatch.setattr("orchestrator.tasks.fleet.workers.list_workers", lambda _state: found)
    done = call("tasks", "run", "plan.md", "--queue")
    assert done.code == 0
    assert ("! no worker is alive, so the runs wait in the queue" in done.out) == says
    assert "no worker" not in call("tasks", "run", "plan.md").out


def build_worker(state: WorkerState, is_alive: bool) -> WorkerRecord:
    return WorkerRecord("w", mark_process(), "1", 2, state, STARTED, STARTED, is_alive)


def test_a_worker_has_a_work_tree_anyway(call: Call, service: FakeService) -> None:
    done = call("run", "Fix the sum.", "--queue", "--isolate")
    assert done.code == 2
    assert "--queue and --isolate exclude each other" in done.err


def use_fake_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.tasks import reading

    monkeypatch.setattr(reading, "build_text_list", lambda text: f"list of: {text}", raising=False)


# ---- status, resume, retry, cancel


def test_status_shows_the_board(call: Call, service: FakeService, shop: Shop) -> None:
    done = call("tasks", "status")
    assert done.code == 0
    assert f"list     {LIST}, fix_plan.md" in done.out
    assert service.asked("summarize") == {"identity": "last", "project": shop.project.resolve()}
    values = json.loads(call("tasks", "status", LIST, "--json").out)
    assert values["id"] == LIST


def test_status_of_a_named_list_works_anywhere(
    call: Call, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("tasks", "status", LIST[:10]).code == 0
    assert service.asked("summarize")["project"] is None


@pytest.mark.parametrize("command", ["status", "resume", "cancel", "clean"])
def test_a_list_of_another_project_is_refused(
    call: Call, service: FakeService, tmp_path: Path, command: str
) -> None:
    (tmp_path / "other").mkdir()
    done = call("tasks", command, LIST, "--project-dir", tmp_path / "other")
    assert done.code == 2
    assert f"the list {LIST} belongs to the project {service.project.resolve()}" in done.err
    assert [name for name, _ in service.calls] == ["summarize"]


@pytest.mark.parametrize("words", [("status",), ("resume",), ("cancel",), ("retry",), ("clean",)])
def test_a_list_that_does_not_exist_is_one_line(
    call: Call, service: FakeService, words: tuple[str, ...]
) -> None:
    more = ["T001"] if words == ("retry",) else []
    done = call("tasks", *words, "nosuch", *more)
    assert done.code == 2
    assert done.err == "orchestrator: there is no task list nosuch (see tasks status --all)\n"


def test_watching_ends_with_the_list(
    call: Call, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.cli.tasks._WATCH_SECONDS", 0.0)
    service.statuses = [ListStatus.RUNNING] * 4
    done = call("tasks", "status", "--watch")
    assert done.code == 0
    assert done.out.count(f"list     {LIST}") == 2, "once as it is, once as it has ended"
    assert "status   complete" in done.out


def test_all_lists_are_shown_in_a_table(call: Call, service: FakeService) -> None:
    done = call("tasks", "status", "--all")
    assert done.code == 0
    assert done.out == "no task lists yet\n"
    service.lists = 2
    assert len(call("tasks", "status", "--all").out.splitlines()) == 3
    assert [each["id"] for each in call("tasks", "status", "--all", "--json").events] == [LIST] * 2


def test_resume_goes_on_as_before_or_as_asked(call: Call, service: FakeService) -> None:
    assert call("tasks", "resume").code == 0
    asked = service.asked("resume")
    assert asked == {"identity": LIST, "project": service.project.resolve(), "options": None}
    service.calls.clear()
    assert call("tasks", "resume", LIST, "--parallel", "5", "--max-cost-usd", "40").code == 0
    before = build_record().options
    assert service.asked("resume")["options"] == replace(before, parallel=5, max_cost_usd=40.0)


def test_retry_says_how_to_go_on(call: Call, service: FakeService) -> None:
    done = call("tasks", "retry", "last", "T006")
    assert done.code == 0
    assert service.asked("retry")["task"] == "T006"
    assert f"  orchestrator tasks resume {LIST}" in done.out.splitlines()
    assert call("tasks", "retry", "last").code == 2


def test_cancel_says_what_stays(call: Call, service: FakeService) -> None:
    done = call("tasks", "cancel")
    assert done.code == 0
    assert service.asked("cancel")["identity"] == LIST
    assert "stays on the branch orchestrator/tasks-" in done.out


# ---- clean


def build_leftovers(folder: Path) -> tuple[Leftover, ...]:
    return (
        Leftover(LIST, LeftoverKind.LANE, folder / "lanes/1", 2_000_000, "all landed", True),
        Leftover(
            *(LIST, LeftoverKind.LANE, folder / "lanes/2", 1_000_000, "T006 has not landed", False),
            ref="refs/orchestrator/work/r1",
            command="git --git-dir=x show refs/orchestrator/work/r1",
        ),
    )


def test_clean_asks_before_it_deletes(call: Call, service: FakeService, tmp_path: Path) -> None:
    service.leftovers = build_leftovers(tmp_path)
    done = call("tasks", "clean")
    assert done.code == 2
    assert "to delete, 2.0 MB:" in done.out
    assert "refs/orchestrator/work/r1" in done.out
    assert "git --git-dir=x show refs/orchestrator/work/r1" in done.out
    assert "nothing was deleted: there is no terminal to ask on (confirm with --yes)" in done.err
    assert [name for name, _ in service.calls] == ["leftovers"]


def test_clean_never_deletes_what_has_not_landed(
    call: Call, service: FakeService, tmp_path: Path
) -> None:
    service.leftovers = build_leftovers(tmp_path)
    done = call("tasks", "clean", "--yes")
    assert done.code == 0
    assert service.asked("remove")["leftovers"] == [service.leftovers[0]]
    assert "deleted 1 item, 2.0 MB" in done.out


def test_clean_of_one_list_leaves_the_others(
    call: Call, service: FakeService, tmp_path: Path
) -> None:
    other = replace(build_leftovers(tmp_path)[0], list_id="20260101-000000-000000")
    service.leftovers = (other, *build_leftovers(tmp_path))
    assert call("tasks", "clean", LIST, "--yes").code == 0
    assert [each.list_id for each in service.asked("remove")["leftovers"]] == [LIST]


def test_nothing_to_clean_is_said(call: Call, service: FakeService) -> None:
    done = call("tasks", "clean")
    assert (done.code, done.out) == (0, "no list has left anything\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tasks"], "Usage: orchestrator tasks"),
        (["tasks", "run"], "Missing argument 'FILE'"),
        (["tasks", "stauts"], "did you mean `status`?"),
        (["tasks", "run", "a.md", "b.md"], "unexpected extra argument"),
        (["task"], "did you mean `tasks`?"),
    ],
)
def test_wrong_usage_is_said(call: Call, service: FakeService, words: list[str], says: str) -> None:
    done = call(*words)
    assert done.code == 2
    assert says in done.output
    assert "Traceback" not in done.output
