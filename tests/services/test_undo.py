"""An undo restores exactly what nobody touched since the run, whatever the files are."""

import itertools
import json
import tempfile
from pathlib import Path

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
from orchestrator.services.undo import open_undo
from orchestrator.storage.runs import Store
from orchestrator.workspace import open_workspace
from orchestrator.workspace.modes import iter_parents
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


def test_each_undo_saves_what_it_replaces(tmp_path: Path) -> None:
    """One of an attempt, taken back by hand, and one of the whole run start from the same files."""
    project, state = tmp_path / "project", tmp_path / "state"
    project.mkdir()
    with Store(state) as store:
        record = store.create_run(Task("a task", project), "{}")
        token = store.claim_run(record.id)
        workspace = open_workspace(project, record.folder)
        trees = [workspace.take_snapshot()]
        with record_span(store, record):
            for name in ("one", "two"):
                (project / name).write_text("new\n", encoding="utf-8")
                trees.append(workspace.take_snapshot())
        agent, diff = AgentResult(AgentOutcome.COMPLETED), Diff((), state)
        attempts = tuple(
            Attempt(number, "go", agent, before, after, diff)
            for number, (before, after) in enumerate(itertools.pairwise(trees), 1)
        )
        store.save_result(record.id, RunResult(RunOutcome.NOT_SOLVED, attempts), token)
    past = Past(project, state, record.id)
    first = past.undo(attempt=2).saved
    assert first
    assert files_of(first) == {b"two": ("file", b"new\n")}
    (project / "two").write_text("new\n", encoding="utf-8")
    second = past.undo().saved
    assert second
    assert files_of(second) == {b"one": ("file", b"new\n")}
    assert files_of(project) == {b"two": ("file", b"new\n")}


def test_that_a_process_was_killed_before_the_last_is_known(tmp_path: Path) -> None:
    """What a person edited until it was resumed cannot be told from its work."""
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
