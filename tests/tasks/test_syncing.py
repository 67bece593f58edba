"""What a person has changed in a list since it stopped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.storage.opening import open_database
from orchestrator.tasks.models import ListOptions, TaskState
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.store import TaskStore
from orchestrator.tasks.syncing import read_list_again, sync_items

LIST = "- [ ] T1 A\n- [ ] T2 B\n- [x] T3 C\n"


@pytest.fixture
def store(tmp_path: Path, project: Path) -> Iterator[TaskStore]:
    with open_database(tmp_path / "state") as database:
        store = TaskStore(database)
        (project / "tasks.md").write_text(LIST, encoding="utf-8")
        tasks = read_list("tasks.md", project)
        store.create_list(
            "l1", project, tasks.source, tasks.format, ListOptions(), "{}", "b", tasks.items
        )
        yield store


def sync(store: TaskStore, project: Path, text: str) -> dict[str, TaskState]:
    (project / "tasks.md").write_text(text, encoding="utf-8")
    record = store.find_list("l1")
    sync_items(store, record, read_list_again(store, record, project))
    return {each.item.id: each.state for each in store.load_tasks("l1")}


@pytest.mark.parametrize("state", [TaskState.WAITING, TaskState.QUARANTINED, TaskState.HELD])
def test_a_task_whose_line_is_gone_is_removed_unless_it_is_at_work(
    store: TaskStore, project: Path, state: TaskState
) -> None:
    store.change_task("l1", "T1", state=state)
    assert sync(store, project, "- [ ] T2 B\n")["T1"] is TaskState.REMOVED
    assert sync(store, project, LIST)["T1"] is TaskState.WAITING


@pytest.mark.parametrize("state", [TaskState.RUNNING, TaskState.MERGING, TaskState.LANDED])
def test_work_that_is_under_way_is_not_thrown_away(
    store: TaskStore, project: Path, state: TaskState
) -> None:
    store.change_task("l1", "T1", state=state)
    assert sync(store, project, "- [ ] T2 B\n")["T1"] is state
    assert sync(store, project, LIST.replace("[ ]", "[x]"))["T1"] is state


def test_a_box_that_a_person_ticks_or_unticks_counts(store: TaskStore, project: Path) -> None:
    states = sync(store, project, "- [x] T1 A\n- [ ] T2 B\n- [ ] T3 C\n")
    assert states == {"T1": TaskState.DONE, "T2": TaskState.WAITING, "T3": TaskState.WAITING}


def test_what_has_landed_is_not_done_again_because_the_file_was_put_back(
    store: TaskStore, project: Path
) -> None:
    store.change_task("l1", "T1", state=TaskState.DONE, landed="c" * 40)
    assert sync(store, project, LIST)["T1"] is TaskState.NEEDS_PERSON
    assert sync(store, project, LIST.replace("[ ] T1", "[x] T1"))["T1"] is TaskState.DONE


def test_a_box_that_could_not_be_ticked_does_not_run_again(store: TaskStore, project: Path) -> None:
    reason = "its line in the list cannot be written: tick it yourself"
    store.change_task("l1", "T1", state=TaskState.DONE, reason=reason)
    assert sync(store, project, LIST)["T1"] is TaskState.DONE


def test_a_proposal_that_a_person_has_taken_over_stays(store: TaskStore, project: Path) -> None:
    from dataclasses import replace

    item = replace(store.load_task("l1", "T1").item, id="T9", proposed=True, position=9)
    store.add_tasks("l1", [item])
    assert sync(store, project, LIST)["T9"] is TaskState.WAITING


def test_an_unfinished_list_of_a_source_is_found(store: TaskStore, project: Path) -> None:
    source = store.find_list("l1").source
    assert store.find_unfinished(project, source)
    assert store.find_unfinished(project, "other.md") is None
    for task in ("T1", "T2"):
        store.change_task("l1", task, state=TaskState.DONE)
    assert store.find_unfinished(project, source) is None
