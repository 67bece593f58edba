"""An undo restores exactly what nobody touched since the run, whatever the files are."""

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Diff,
    RunOutcome,
    RunResult,
    Task,
)
from orchestrator.services.undo import UndoPlan, open_undo
from orchestrator.storage.runs import Store
from orchestrator.workspace import open_workspace
from orchestrator.workspace.modes import iter_parents
from orchestrator.workspace.restore_plan import LeftReason
from tests.services.undone_runs import Past, make_past, record_span
from tests.workspace.repositories import files_of, repository
from tests.workspace.test_properties import TREES, Tree, put

few = settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def find_expected(before: Tree, after: Tree, edited: Tree) -> Tree:
    """Return the files after an undo, by the words of its promise."""
    expected = {
        path: entry
        for path, entry in edited.items()
        if entry != after.get(path) or before.get(path) == entry
    }
    folders = {folder for path in expected for folder in iter_parents(path)}
    for path, entry in before.items():
        is_own = edited.get(path) == after.get(path) and entry != after.get(path)
        is_blocked = path in folders or any(above in expected for above in iter_parents(path))
        if is_own and not is_blocked:
            expected[path] = entry
        elif is_own and path in edited:
            expected[path] = edited[path]
    return expected


@few
@given(before=TREES, after=TREES, edited=TREES)
def test_exactly_what_nobody_touched_is_restored(before: Tree, after: Tree, edited: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = repository(Path(scratch) / "project")
        put(project, before)
        past = make_past(Path(scratch), lambda folder: put(folder, after))
        put(project, edited)
        expected = find_expected(before, after, edited)
        done = past.undo()
        found = files_of(project)
        assert found == expected
        replaced = {path for path in edited if found.get(path) != edited[path]}
        saved = files_of(done.saved) if done.saved else {}
        assert saved == {path: edited[path] for path in replaced}
        assert past.undo().saved is None
        assert files_of(project) == expected


@few
@given(trees=TREES, first=TREES, between=TREES, second=TREES)
def test_what_a_person_changed_between_two_parts_of_a_run_stays(
    trees: Tree, first: Tree, between: Tree, second: Tree
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project = repository(Path(scratch) / "project")
        put(project, trees)
        past = make_past(Path(scratch), lambda folder: put(folder, first))
        put(project, between)
        with Store(past.state) as store, record_span(store, store.load_run(past.run)):
            put(project, second)
        past.undo()
        found = files_of(project)
        for path, entry in second.items():
            theirs = between.get(path) == entry != first.get(path)
            if theirs and entry != trees.get(path):
                assert found[path] == entry


@few
@given(before=TREES, after=TREES)
def test_a_link_is_never_written_through(before: Tree, after: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        outside = Path(scratch) / "outside"
        outside.mkdir()
        put(outside, {**before, **{b"x" + path: entry for path, entry in after.items()}})
        kept = files_of(outside)
        project = repository(Path(scratch) / "project")
        put(project, before)
        past = make_past(Path(scratch), lambda folder: put(folder, after))
        names = {path.split(b"/")[0] for path in before.keys() | after.keys()}
        put(project, dict.fromkeys(names, ("link", b"../outside")))
        past.undo()
        assert files_of(outside) == kept


def test_a_folder_without_git(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "empty" / "deep").mkdir(parents=True)
    (project / "empty").chmod(0o750)
    (project / "filled").mkdir()
    (project / "a.txt").write_text("one", encoding="utf-8")

    def work(folder: Path) -> None:
        (folder / "a.txt").write_text("two", encoding="utf-8")
        (folder / "filled" / "x").touch()
        (folder / "empty" / "deep").rmdir()
        (folder / "empty").rmdir()
        (folder / "new" / "deep").mkdir(parents=True)
        (folder / "used").mkdir()

    past = make_past(tmp_path, work)
    (project / "used" / "by hand").mkdir()
    (project / "own").mkdir()
    past.undo()
    folders = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_dir()}
    assert folders == {"empty", "empty/deep", "filled", "used", "used/by hand", "own"}
    assert (project / "empty").stat().st_mode & 0o777 == 0o750
    assert (project / "a.txt").read_text("utf-8") == "one"


def make_past_of_attempts(folder: Path, *works: Callable[[Path], None]) -> Past:
    """Record a run whose attempts did some work in `folder / "project"`, one after the other."""
    project, state = folder / "project", folder / "state"
    with Store(state) as store:
        record = store.create_run(Task("a task", project), "{}")
        token = store.claim_run(record.id)
        workspace = open_workspace(project, record.folder)
        trees = [workspace.take_snapshot()]
        with record_span(store, record):
            for work in works:
                work(project)
                trees.append(workspace.take_snapshot())
        agent, diff = AgentResult(AgentOutcome.COMPLETED), Diff((), state)
        attempts = tuple(
            Attempt(number, "go", agent, before, after, diff)
            for number, (before, after) in enumerate(itertools.pairwise(trees), 1)
        )
        store.save_result(record.id, RunResult(RunOutcome.NOT_SOLVED, attempts), token)
    return Past(project, state, record.id)


def write(name: str, text: str) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return work


def make_plan(past: Past, attempt: int | None = None) -> UndoPlan:
    with (
        Store(past.state) as store,
        open_undo(past.run, attempt, past.project, store, lambda _event: None) as undo,
    ):
        return undo.plan()


def test_each_undo_saves_what_it_replaces(tmp_path: Path) -> None:
    """One of an attempt and, after its files are written again, one of the run start alike."""
    project = tmp_path / "project"
    project.mkdir()
    past = make_past_of_attempts(tmp_path, write("one", "new\n"), write("two", "new\n"))
    first = past.undo(attempt=2).saved
    assert first
    assert files_of(first) == {b"two": ("file", b"new\n")}
    (project / "two").write_text("new\n", encoding="utf-8")
    second = past.undo().saved
    assert second
    assert files_of(second) == {b"one": ("file", b"new\n"), b"two": ("file", b"new\n")}
    assert files_of(project) == {}


def test_that_a_process_was_killed_before_the_last_is_known(tmp_path: Path) -> None:
    """What a person edited until it was resumed counts as its work."""
    project = repository(tmp_path / "project")
    past = make_past(tmp_path, lambda folder: (folder / "one").touch())
    with Store(past.state) as store:
        record = store.load_run(past.run)
        path = record.folder / "trees.json"
        (span,) = json.loads(path.read_bytes())
        path.write_text(json.dumps([{**span, "end": None}]), "ascii")
        (project / "own").touch()
        with record_span(store, record):
            (project / "two").touch()
        with open_undo(past.run, None, project, store, lambda _event: None) as undo:
            assert not undo.plan().is_end_known


def test_files_that_are_again_as_the_run_left_them_are_the_runs_again(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    past = make_past(tmp_path, write("word", "new\n"))
    for _ in range(3):
        past.undo()
        assert (project / "word").read_text("utf-8") == "old\n"
        write("word", "new\n")(project)
    write("word", "by hand\n")(project)
    plan = make_plan(past)
    assert (plan.has_work, plan.left) == (False, {"word": LeftReason.EDITED})


def test_what_is_edited_after_an_undo_is_left(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    past = make_past(tmp_path, write("word", "new\n"))
    past.undo()
    assert make_plan(past).left == {}
    write("word", "by hand\n")(project)
    write("own", "by hand\n")(project)
    for _ in range(2):
        past.undo()
        plan = make_plan(past)
        assert (plan.has_work, plan.left) == (False, {"word": LeftReason.EDITED})


def test_an_attempt_that_is_undone_with_the_run_is_not_made_again(tmp_path: Path) -> None:
    """Also where the second attempt has reverted what the first one did."""
    project = repository(tmp_path / "project", back="old\n", word="old\n")

    def work_first(folder: Path) -> None:
        write("word", "first\n")(folder)
        write("back", "first\n")(folder)

    def work_again(folder: Path) -> None:
        write("word", "second\n")(folder)
        write("back", "old\n")(folder)

    past = make_past_of_attempts(tmp_path, work_first, work_again)
    before = files_of(project) | {b"word": ("file", b"old\n")}
    past.undo()
    assert files_of(project) == before
    plan = make_plan(past, 2)
    assert (plan.has_work, plan.undone_to, plan.left) == (False, 1, {})
    write("word", "second\n")(project)
    past.undo(attempt=2)
    assert (project / "word").read_text("utf-8") == "first\n"
    past.undo()
    assert files_of(project) == before


def test_an_undo_of_an_attempt_may_be_followed_by_one_of_the_run(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    works = [write("word", f"{number}\n") for number in (1, 2, 3)]
    past = make_past_of_attempts(tmp_path, *works)
    for attempt, text in ((3, "2\n"), (2, "1\n"), (1, "old\n")):
        past.undo(attempt=attempt)
        assert (project / "word").read_text("utf-8") == text


def test_what_is_edited_while_the_plan_is_shown_is_reported(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", one="old\n", two="old\n")

    def work(folder: Path) -> None:
        write("one", "new\n")(folder)
        write("two", "new\n")(folder)

    past = make_past(tmp_path, work)
    with (
        Store(past.state) as store,
        open_undo(past.run, None, project, store, lambda _event: None) as undo,
    ):
        plan = undo.plan()
        write("one", "by hand\n")(project)
        done = undo.carry_out(plan)
    assert done.left == ["one"]
    assert done.saved
    assert files_of(done.saved) == {b"two": ("file", b"new\n")}
    assert (project / "one").read_text("utf-8") == "by hand\n"
    assert make_plan(past).left == {"one": LeftReason.EDITED}


def test_nothing_is_undone_that_was_not_shown(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", one="old\n", two="old\n")

    def work(folder: Path) -> None:
        write("one", "new\n")(folder)
        write("two", "new\n")(folder)

    past = make_past(tmp_path, work)
    write("one", "by hand\n")(project)
    with (
        Store(past.state) as store,
        open_undo(past.run, None, project, store, lambda _event: None) as undo,
    ):
        plan = undo.plan()
        write("one", "new\n")(project)
        assert undo.carry_out(plan).left == []
    assert (project / "one").read_text("utf-8") == "new\n"
    assert (project / "two").read_text("utf-8") == "old\n"


def test_empty_folders_alone_are_something_to_undo(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    (project / "empty").mkdir()
    (project / "own").mkdir()

    def work(folder: Path) -> None:
        (folder / "empty").rmdir()
        (folder / "new" / "deep").mkdir(parents=True)

    past = make_past(tmp_path, work)
    (project / "own").rmdir()
    plan = make_plan(past)
    assert (plan.has_work, plan.diff.changes) == (True, ())
    assert (plan.folders.created, plan.folders.removed) == ([b"empty"], [b"new", b"new/deep"])
    past.undo()
    assert {path.name for path in project.iterdir()} == {".git", "empty", "word"}
    assert not make_plan(past).has_work


def test_a_folder_of_a_person_between_two_parts_of_a_run_stays(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    past = make_past(tmp_path, lambda folder: (folder / "first").mkdir())
    (project / "own").mkdir()
    with Store(past.state) as store, record_span(store, store.load_run(past.run)):
        (project / "second").mkdir()
    past.undo()
    assert {path.name for path in project.iterdir()} == {".git", "own", "word"}


def test_a_repository_that_the_run_removed_is_named_as_unseen(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", word="old\n")
    repository(project / "inner", word="x\n")
    past = make_past(tmp_path, lambda folder: shutil.rmtree(folder / "inner"))
    assert make_plan(past).unseen == ["inner/"]


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_folder_that_a_killed_undo_has_emptied_is_removed(tmp_path: Path, attempt: int) -> None:
    project = repository(tmp_path / "project", word="old\n")

    def work(folder: Path) -> None:
        (folder / "new" / "deep").mkdir(parents=True)
        write("new/deep/file", "new\n")(folder)

    past = make_past_of_attempts(tmp_path, write("word", "new\n"), work)
    (project / "new" / "deep" / "file").unlink()
    past.undo(attempt=attempt)
    assert not (project / "new").exists()
