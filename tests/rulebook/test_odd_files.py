"""Files that a rename cannot replace, or must not; and the check that a rule can be written."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import LoopError, RulebookError
from orchestrator.platform import files as platform_files
from orchestrator.platform.in_place import _Note
from orchestrator.rulebook import files
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.written_copies import WrittenCopies
from orchestrator.storage.state_directory import resolve_state_directory, writes_folder
from tests.ordinary_user import make_public_folder, ordinary_user
from tests.rulebook.making import FAILURE, NONE, add, is_one_insertion, rulebook

_TEXT = b"# Mine\n\nUse tabs.\n"
_TOP = Path(__file__).parents[2]


@pytest.fixture
def claude_md(project: Path) -> Path:
    path = project / "CLAUDE.md"
    path.write_bytes(_TEXT)
    return path


def list_names(project: Path) -> list[str]:
    return sorted(path.name for path in project.iterdir())


def test_a_hard_link_stays_one(claude_md: Path, tmp_path: Path) -> None:
    os.link(claude_md, tmp_path / "dotfiles.md")
    assert rulebook(claude_md.parent).apply(add(), FAILURE)
    assert (tmp_path / "dotfiles.md").samefile(claude_md)
    assert is_one_insertion(_TEXT, claude_md.read_bytes())
    assert list_names(claude_md.parent) == ["CLAUDE.md"]


def test_what_is_stored_beside_a_write_is_for_its_owner_alone(
    claude_md: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the folders above, if this is the first thing in them."""
    state = tmp_path / "new" / "state"
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(state))
    os.link(claude_md, tmp_path / "dotfiles.md")
    before = files.read_content(claude_md)
    assert files.replace_file(claude_md, b"new", before)
    copies = WrittenCopies(tmp_path / "other" / "rulebooks")
    copies.save(claude_md, b"new", None)
    for folder in (state, state.parent, tmp_path / "other"):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_extended_attributes_stay(claude_md: Path) -> None:
    try:
        os.setxattr(claude_md, "user.note", b"mine")
    except (OSError, AttributeError):
        pytest.skip("this file system has no extended attributes")
    assert rulebook(claude_md.parent).apply(add(), FAILURE)
    assert os.getxattr(claude_md, "user.note") == b"mine"


def test_a_file_that_is_mounted_on_its_own_is_written(claude_md: Path, tmp_path: Path) -> None:
    """A container gets a single file of the host like this."""
    other = tmp_path / "host.md"
    shutil.copy(claude_md, other)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    mount = ["unshare", "-Urm", "sh", "-c", script, "sh", str(other), str(claude_md)]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody mount a file")
    work = (
        "import sys; from pathlib import Path; from tests.rulebook.making import *; "
        "assert rulebook(Path(sys.argv[1])).apply(add(), FAILURE)"
    )
    command = [*mount, sys.executable, "-c", work, str(claude_md.parent)]
    done = subprocess.run(command, cwd=_TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert is_one_insertion(_TEXT, other.read_bytes())
    assert claude_md.read_bytes() == _TEXT
    assert list_names(claude_md.parent) == ["CLAUDE.md"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_stays_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_public_folder() as folder:
        monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(folder / "state"))
        (folder / "CLAUDE.md").write_bytes(_TEXT)
        (folder / "CLAUDE.md").chmod(0o666)
        with ordinary_user():
            assert rulebook(folder).apply(add(), FAILURE)
        assert (folder / "CLAUDE.md").stat().st_uid == 0
        assert is_one_insertion(_TEXT, (folder / "CLAUDE.md").read_bytes())


def test_what_a_killed_writer_left_is_completed_by_the_next_reader(claude_md: Path) -> None:
    notes = writes_folder(resolve_state_directory())
    assert rulebook(claude_md.parent).apply(add(), FAILURE)
    written = claude_md.read_bytes()
    notes.mkdir(parents=True)
    platform_files.write_file(notes / "a.json", _Note(claude_md, _TEXT, written).pack())
    claude_md.write_bytes(written[:25] + _TEXT[25:])
    assert [rule.text for rule in rulebook(claude_md.parent).list_rules()] == [NONE]
    assert claude_md.read_bytes() == written


def make_gone_process() -> int:
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def test_temporary_files_of_killed_writers_are_removed_and_no_others(claude_md: Path) -> None:
    project, gone = claude_md.parent, make_gone_process()
    stale = project / f".settings.json.{gone}-0a1b2c3d.tmp"
    aged = project / f".CLAUDE.md.{os.getpid()}-0a1b2c3d.tmp"
    others = [project / name for name in (".a.md.tmp", f"a.{gone}-0a1b2c3d.tmp", ".1-0a1b2c3d.tmp")]
    live = project / f".b.md.{os.getpid()}-0a1b2c3d.tmp"
    for path in (stale, aged, live, *others):
        path.write_bytes(b"x")
    long_ago = time.time() - 100_000
    os.utime(aged, (long_ago, long_ago))  # or the clock was set while it is written
    files.remove_stale_files([project, project / "missing"])
    assert list_names(project) == sorted(
        ["CLAUDE.md", aged.name, live.name, *(each.name for each in others)]
    )


# ---- the check before anything is paid for


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_what_is_no_file_is_found_before(project: Path, make: Callable[[Path], None]) -> None:
    make(project / "CLAUDE.md")
    with pytest.raises(RulebookError, match="is not a file"):
        RuleFiles(project).require_writable()


@pytest.mark.parametrize(
    ("target", "closed"),
    [
        (Target.PROJECT, "."),
        (Target.AGENTS_MD, "."),
        (Target.RULES_DIR, "."),
        (Target.RULES_DIR, ".claude/rules"),
    ],
)
def test_a_folder_that_may_not_be_written_is_found_before(target: Target, closed: str) -> None:
    with make_public_folder() as folder:
        (folder / closed).mkdir(parents=True, exist_ok=True)
        (folder / closed).chmod(0o755 if os.geteuid() == 0 else 0o555)
        with ordinary_user(), pytest.raises(RulebookError, match=r"write.protected"):
            RuleFiles(folder, target).require_writable()
        (folder / closed).chmod(0o777)
        with ordinary_user():
            RuleFiles(folder, target).require_writable()
        assert all(not path.is_file() for path in folder.rglob("*"))


def test_a_write_protected_file_is_found_before() -> None:
    with make_public_folder() as folder:
        (folder / "CLAUDE.md").write_bytes(_TEXT)
        (folder / "CLAUDE.md").chmod(0o444)
        with ordinary_user(), pytest.raises(LoopError, match="cannot be written"):
            RuleFiles(folder).require_writable()
        assert (folder / "CLAUDE.md").read_bytes() == _TEXT


def test_the_check_changes_nothing(claude_md: Path) -> None:
    before = claude_md.stat()
    RuleFiles(claude_md.parent).require_writable()
    now = claude_md.stat()
    assert (now.st_mtime_ns, now.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
