"""For any files: diff and restore are exact, and nothing in the user's repository is touched."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.workspace import open_workspace
from tests.workspace.repositories import files_of, git, snapshot_git_folder

Entry = tuple[str, bytes]
Tree = dict[bytes, Entry]

NAMES = [b"a", b"b.py", b"two words", b"-dash", b"line\nend", b'"quoted"']
NAMES += [b"back\\slash", b"*", b"[a]", b"#note", b"!not", b":(top)x", b"git~1"]
NAMES += [b"caf\xe9", b"\xc3\xbc\xf0\x9f\x8c\xb1"]

CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"one", b"two\r", b"", b"\xff\xfe", b"$Id$"]), max_size=6).map(
        b"\n".join
    ),
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(b"/".join)
LINKS = st.sampled_from([b"a", b"../x", b"/nowhere", b"caf\xe9"])
ENTRIES = st.one_of(
    st.tuples(st.sampled_from(["file", "program"]), CONTENTS), st.tuples(st.just("link"), LINKS)
)


def _without_collisions(tree: Tree) -> Tree:
    """Leave out what would lie inside a file."""
    kept: Tree = {}
    for path, entry in sorted(tree.items()):
        parts = path.split(b"/")
        if not any(b"/".join(parts[:length]) in kept for length in range(1, len(parts))):
            kept[path] = entry
    return kept


TREES = st.dictionaries(PATHS, ENTRIES, max_size=8).map(_without_collisions)
few = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def put(folder: Path, tree: Tree) -> None:
    """Make the files of a folder those of a tree, leaving alone what is equal."""
    present = files_of(folder)
    for path in present:
        if present[path] != tree.get(path):
            (folder / os.fsdecode(path)).unlink()
    for root, _, _ in os.walk(folder, topdown=False):
        inside = Path(root).relative_to(folder).parts
        if inside and ".git" not in inside and not any(Path(root).iterdir()):
            Path(root).rmdir()
    for path, (kind, content) in tree.items():
        full = folder / os.fsdecode(path)
        if present.get(path) == (kind, content):
            continue
        full.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            full.symlink_to(os.fsdecode(content))
        else:
            full.write_bytes(content)
            full.chmod(0o755 if kind == "program" else 0o644)


@contextmanager
def a_users_repository(committed: Tree, staged: Tree, present: Tree, config: str) -> Iterator[Path]:
    """A repository in the middle of somebody's work, in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "project"
        project.mkdir()
        git(project, "init", "-q", "-b", "main")
        (project / ".git" / "info").mkdir(exist_ok=True)
        (project / ".git" / "info" / "attributes").write_text(config, encoding="utf-8")
        git(project, "config", "core.autocrlf", "true" if config else "false")
        git(project, "config", "core.safecrlf", "false")
        git(project, "config", "core.protectNTFS", "false")
        git(project, "config", "gc.auto", "0")
        git(project, "commit", "-q", "--allow-empty", "-m", "first")
        put(project, committed)
        git(project, "add", "-A")
        if committed:
            git(project, "stash", "push", "-q")
        put(project, staged)
        git(project, "add", "-A")
        put(project, present)
        yield project


@few
@given(
    committed=TREES,
    staged=TREES,
    trees=st.lists(TREES, min_size=2, max_size=3),
    config=st.sampled_from(["", "* text=auto\n", "* text ident\n"]),
)
def test_diff_and_restore_are_exact_and_the_repository_is_untouched(
    committed: Tree, staged: Tree, trees: list[Tree], config: str
) -> None:
    with a_users_repository(committed, staged, trees[0], config) as project:
        untouched = snapshot_git_folder(project / ".git")
        state = project.parent / "state"
        workspace = open_workspace(project, state)
        snapshots = []
        for tree in trees:
            put(project, tree)
            snapshots.append(workspace.take_snapshot())
        workspace.diff_snapshots(snapshots[0], snapshots[-1], state / "patch")
        if git_can_apply(trees[0], trees[-1]):
            assert applied(state / "patch", trees[0], project.parent / "copy") == trees[-1]

        assert workspace.restore_files(snapshots[0], changed_since=snapshots[-1]) == ()
        assert files_of(project) == trees[0]
        assert workspace.take_snapshot() == snapshots[0]
        assert snapshot_git_folder(project / ".git") == untouched


@few
@given(before=TREES, after=TREES)
def test_a_folder_without_git_is_seen_as_exactly(before: Tree, after: Tree) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project, state = Path(scratch) / "project", Path(scratch) / "state"
        project.mkdir()
        put(project, before)
        workspace = open_workspace(project, state)
        first = workspace.take_snapshot()
        put(project, after)
        second = workspace.take_snapshot()
        workspace.diff_snapshots(first, second, state / "patch")
        if git_can_apply(before, after):
            assert applied(state / "patch", before, Path(scratch) / "copy") == after
        assert workspace.restore_files(first, changed_since=second) == ()
        assert files_of(project) == before


@few
@given(before=TREES, after=TREES, edited=TREES)
def test_restore_never_overwrites_what_somebody_wrote_meanwhile(
    before: Tree, after: Tree, edited: Tree
) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        project, state = Path(scratch) / "project", Path(scratch) / "state"
        project.mkdir()
        put(project, before)
        workspace = open_workspace(project, state)
        first = workspace.take_snapshot()
        put(project, after)
        second = workspace.take_snapshot()
        put(project, edited)
        left_alone = workspace.restore_files(first, changed_since=second)
        result = files_of(project)
        for path in edited:
            if edited[path] != after.get(path):
                assert result[path] == edited[path]
        for path in before.keys() | after.keys():
            shown = path.decode("utf-8", "backslashreplace")
            if before.get(path) != after.get(path) and shown not in left_alone:
                assert result.get(path) == before.get(path)


FEW_NAMES = (b"a", b"b", b"b/c", b"d/a", b"e")
FEW_ENTRIES = st.sampled_from([None, None, ("file", b"1"), ("program", b"1"), ("link", b"1")])
SMALL_TREES = st.fixed_dictionaries(dict.fromkeys(FEW_NAMES, FEW_ENTRIES)).map(
    lambda drawn: _without_collisions({path: entry for path, entry in drawn.items() if entry})
)
RULES = st.sampled_from([b"*\n", b"a\nb\ne\n", b"b/\nd\n!a\n", b""]).map(
    lambda text: ("file", text)
)


@settings(few, max_examples=40)
@given(before=SMALL_TREES, after=SMALL_TREES, edited=SMALL_TREES, rules=st.lists(RULES, min_size=3))
def test_restore_loses_nothing_that_git_ignores(
    before: Tree, after: Tree, edited: Tree, rules: tuple[Entry, Entry, Entry]
) -> None:
    """Whatever the ignore rules are at each moment."""
    with tempfile.TemporaryDirectory() as scratch:
        project, state = Path(scratch) / "project", Path(scratch) / "state"
        project.mkdir()
        put(project, {**before, b".gitignore": rules[0]})
        workspace = open_workspace(project, state)
        first = workspace.take_snapshot()
        put(project, {**after, b".gitignore": rules[1]})
        second = workspace.take_snapshot()
        put(project, {**edited, b".gitignore": rules[2]})
        plan = workspace.plan_restore(first, second, {})
        left_alone = workspace.restore_files(first, changed_since=second)
        assert set(left_alone) == set(plan.left)
        result = files_of(project)
        for path in edited:
            if edited[path] != after.get(path):
                assert result[path] == edited[path]
        # All that was planned was done, and it is as in the earlier tree.
        for name, content in workspace.list_changed_contents(plan.now, plan.then).items():
            path = os.fsencode(name)
            assert (path in result) is content.exists
            if content.exists and path != b".gitignore":
                assert result[path] == before[path]


def git_can_apply(before: Tree, after: Tree) -> bool:
    """Whether no link gives way to a folder or the other way round: `git apply` refuses that."""
    return not any(
        entry[0] == "link" and other.startswith(path + b"/")
        for one, another in ((before, after), (after, before))
        for path, entry in one.items()
        for other in another
    )


def applied(patch: Path, before: Tree, folder: Path) -> Tree:
    """What `git apply` makes of a copy of the files before, outside any repository."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    put(folder, before)
    if patch.stat().st_size:
        # The one name among ours that git refuses unless told that this is no Windows disk.
        command = ["git", "-c", "core.protectNTFS=false", "apply", "--binary", str(patch)]
        environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
    return files_of(folder)
