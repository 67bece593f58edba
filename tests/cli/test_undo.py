"""`orchestrator undo` restores what a run changed, and leaves what people changed since."""

import importlib
import signal
import subprocess
from pathlib import Path
from shlex import quote

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import (
    TASK,
    Call,
    CommandResult,
    Shop,
    start_command,
)
from tests.cli.test_signals import until
from tests.recorded_runs import get_last_run
from tests.workspace.repositories import files_of, git, snapshot_git_folder

undo_module = importlib.import_module("orchestrator.cli.undo")

FIXING = """
echo right > word.txt
echo new > created.txt
mkdir -p deep/er empty
echo new > deep/er/file.txt
rm -f gone.txt
"""


@pytest.fixture
def dirty(shop: Shop, teacher: ReplayServer) -> Shop:
    """The project in the middle of somebody's work, and an agent that changes a lot."""
    shop.write("gone.txt", "not committed\n")
    shop.write("word.txt", "edited by hand\n")
    shop.write("key.ini", "secret\n").chmod(0o600)
    (shop.project / "link").symlink_to("nowhere")
    (shop.project / "mine").mkdir()
    shop.agent.write_text(FIXING, encoding="utf-8")
    return shop


def run(call: Call, shop: Shop, code: int = 0, *options: str) -> CommandResult:
    done = call("run", TASK, "--project-dir", shop.project, *options)
    assert done.code == code, done.output
    return done


def undo(call: Call, shop: Shop, *options: str | Path) -> CommandResult:
    return call("undo", "--project-dir", shop.project, *options)


def run_printed(command: str) -> str:
    """Run a command as a person would paste it."""
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    return done.stdout


def list_folders(project: Path) -> set[str]:
    return {
        path.relative_to(project).as_posix()
        for path in project.rglob("*")
        if path.is_dir() and ".git" not in path.parts
    }


def test_everything_is_as_before_the_run(call: Call, dirty: Shop) -> None:
    before, folders = files_of(dirty.project), list_folders(dirty.project)
    run(call, dirty)
    assert dirty.word == "right\n"
    untouched = snapshot_git_folder(dirty.project / ".git")
    done = undo(call, dirty, "--yes")
    assert done.code == 0, done.output
    assert files_of(dirty.project) == before
    assert list_folders(dirty.project) == folders
    assert (dirty.project / "key.ini").stat().st_mode & 0o777 == 0o600
    assert snapshot_git_folder(dirty.project / ".git") == untouched
    assert "create   gone.txt" in done.out
    assert "remove   created.txt" in done.out
    assert "restore  word.txt" in done.out
    again = undo(call, dirty, "--yes")
    assert again.code == 0
    assert "nothing is to be undone" in again.out


def test_what_a_person_changed_since_is_left(call: Call, dirty: Shop) -> None:
    run(call, dirty)
    dirty.write("created.txt", "by hand\n")
    dirty.write("other.txt", "by hand\n")
    (dirty.project / "deep" / "own").mkdir()
    done = undo(call, dirty, "--yes")
    assert done.code == 0, done.output
    assert "created.txt: somebody else changed it" in done.out
    assert "what the run changed in a file:\n  $ git --git-dir=" in done.out
    found = files_of(dirty.project)
    assert found[b"created.txt"] == ("file", b"by hand\n")
    assert found[b"other.txt"] == ("file", b"by hand\n")
    assert dirty.word == "edited by hand\n"
    assert (dirty.project / "deep" / "own").is_dir()


def test_a_dry_run_changes_nothing_and_the_commands_that_it_prints_work(
    call: Call, dirty: Shop
) -> None:
    run(call, dirty)
    after = files_of(dirty.project)
    done = undo(call, dirty, "--dry-run")
    assert done.code == 0
    assert files_of(dirty.project) == after
    command = done.out.partition("all of it:\n  $ ")[2].splitlines()[0]
    shown = run_printed(command)
    assert "-right\n+edited by hand\n" in shown
    assert "    -right\n    +edited by hand\n" in done.out


def test_nobody_is_asked_without_a_terminal(call: Call, dirty: Shop) -> None:
    run(call, dirty)
    done = undo(call, dirty)
    assert done.code == 2
    assert "confirm with --yes" in done.err
    assert dirty.word == "right\n"
    done = undo(call, dirty, "--json")
    assert (done.code, done.out) == (2, "")


def test_replaced_files_can_be_brought_back(call: Call, dirty: Shop) -> None:
    before = files_of(dirty.project)
    run(call, dirty)
    after = files_of(dirty.project)
    done = undo(call, dirty, "--yes")
    command = done.out.partition("to bring them back (1 created file will stay):\n  $ ")[2]
    run_printed(command.splitlines()[0])
    created = {b"gone.txt": before[b"gone.txt"]}
    assert files_of(dirty.project) == after | created
    again = undo(call, dirty, "--yes")
    assert "nothing is to be undone" not in again.out
    assert files_of(dirty.project) == before
    dirty.write("word.txt", "by hand\n")
    edited = undo(call, dirty, "--yes")
    assert "what remains of the run's changes is left as it is" in edited.out
    assert "word.txt: somebody else changed it" in edited.out


REPLACING = """
rm link; mkdir link; echo new > link/inside
rm -r 'old folder'; echo new > 'old folder'
rm -r bare; echo new > bare
rm gone.txt
echo right > word.txt
"""


@pytest.fixture
def replaced(dirty: Shop) -> Shop:
    """An agent that puts folders in place of files and links, and the reverse."""
    dirty.write("old folder/deep/a.txt", "old\n")
    dirty.write("old folder/b.txt", "old\n")
    (dirty.project / "bare" / "deep").mkdir(parents=True)
    dirty.agent.write_text(REPLACING, encoding="utf-8")
    return dirty


def test_the_command_that_brings_files_back_makes_room_for_them(call: Call, replaced: Shop) -> None:
    before = files_of(replaced.project)
    run(call, replaced)
    after = files_of(replaced.project)
    done = undo(call, replaced, "--yes")
    assert files_of(replaced.project) == before
    assert "  create   bare/\n  create   bare/deep/\n" in done.out
    command = done.out.partition("to bring them back (1 created file will stay):\n  $ ")[2]
    run_printed(command.splitlines()[0])
    assert files_of(replaced.project) == after | {b"gone.txt": before[b"gone.txt"]}


@pytest.mark.parametrize("name", ["two\nlines", "escape\033[31m", "b\udcff"])
def test_a_name_that_cannot_be_pasted_is_in_no_command(
    call: Call, replaced: Shop, name: str
) -> None:
    replaced.write(f"old folder/{name}", "old\n")
    before = files_of(replaced.project)
    run(call, replaced)
    done = undo(call, replaced, "--yes")
    assert files_of(replaced.project) == before
    assert "to bring them back, first remove what the undo created in their place" in done.out
    assert "--remove-destination" not in done.out


def test_no_command_brings_files_back_where_none_was_replaced(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    shop.write("check.sh", "test ! -e word.txt\n")
    shop.agent.write_text("rm word.txt\n", encoding="utf-8")
    run(call, shop)
    done = undo(call, shop, "--yes")
    assert "1 file restored as before the run" in done.out
    assert "to bring them back" not in done.out
    assert shop.word == "wrong\n"


def test_empty_folders_are_listed_and_restored_without_a_file(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    (shop.project / "empty").mkdir()
    shop.agent.write_text("echo right > word.txt; rmdir empty; mkdir new\n", encoding="utf-8")
    run(call, shop)
    shop.write("word.txt", "wrong\n")
    (shown,) = undo(call, shop, "--json", "--dry-run").events
    folders = [{"path": "empty/", "action": "create"}, {"path": "new/", "action": "remove"}]
    assert (shown["changes"], shown["folders"]) == ([], folders)
    done = undo(call, shop, "--yes")
    assert done.code == 0, done.output
    assert "folders  2 empty folders\n  create   empty/\n  remove   new/\n" in done.out
    assert list_folders(shop.project) == {"empty"}
    assert "nothing is to be undone" in undo(call, shop).out


def test_an_undone_run_cannot_be_resumed(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    shop.configure(learning={"auto_retry": False})
    run(call, shop, 1)
    undo(call, shop, "--dry-run")
    assert get_last_run().is_resumable
    done = undo(call, shop, "--yes")
    assert "after the undo, `orchestrator resume` can no longer continue the run" in done.out
    assert "the run can no longer be resumed" in done.out
    before = files_of(shop.project)
    done = call("resume", get_last_run().id)
    assert done.code == 2
    assert f"run {get_last_run().id} was undone (start a new run)" in done.err
    assert files_of(shop.project) == before
    assert "paused, undone" in call("runs").out
    assert "undone   files were restored on" in call("runs", "show", get_last_run().id).out
    done = undo(call, shop, "--yes")
    assert "resume" not in done.out


def test_json(call: Call, dirty: Shop) -> None:
    run(call, dirty)
    dirty.write("created.txt", "by hand\n")
    (shown,) = undo(call, dirty, "--json", "--dry-run").events
    assert shown["done"] is False
    (shown,) = undo(call, dirty, "--json", "--yes").events
    assert shown["done"] is True
    assert shown["run"] == get_last_run().id
    assert {"path": "created.txt", "reason": "somebody else changed it"} in shown["left"]
    actions = {each["path"]: each["action"] for each in shown["changes"]}
    assert actions["word.txt"] == "restore"
    assert Path(shown["saved"], "word.txt").read_text("utf-8") == "right\n"


def test_an_attempt(call: Call, shop: Shop, teacher: ReplayServer) -> None:
    """The second attempt is undone, and then the whole run; the learned rule stays."""
    run(call, shop)
    assert shop.word == "right\n"
    second = undo(call, shop, "--attempt", "2", "--yes")
    assert second.code == 0
    assert shop.word == "wrong\nguessed\n"
    assert "as before attempt 2\n" in second.out
    third = undo(call, shop, "--attempt", "3", "--yes")
    assert third.code == 2
    assert "attempts 1 to 2 are on record" in third.err
    done = undo(call, shop, "--yes")
    assert "CLAUDE.md: it holds the learned rules" in done.out
    assert "orchestrator rules retire ID" in done.out
    assert b"Never guess a word" in shop.rulebook
    assert shop.word == "wrong\n"
    assert "as before the run\n" in done.out
    late = undo(call, shop, "--attempt", "2", "--yes")
    last = late.out.splitlines()[-1]
    assert (late.code, last) == (0, "nothing is to be undone: already undone to before attempt 1")
    assert shop.word == "wrong\n"


def test_an_attempt_that_is_not_on_record(call: Call, dirty: Shop) -> None:
    run(call, dirty)
    done = undo(call, dirty, "--attempt", "2")
    assert done.code == 2
    assert "has no attempt 2 that can be undone: attempt 1 is on record" in done.err


def test_what_an_agent_committed_is_undone_and_git_is_not(call: Call, dirty: Shop) -> None:
    dirty.agent.write_text(f"{FIXING}\ngit add -A; git commit -qm work\n", encoding="utf-8")
    before = files_of(dirty.project)
    run(call, dirty)
    untouched = snapshot_git_folder(dirty.project / ".git")
    assert undo(call, dirty, "--yes").code == 0
    assert files_of(dirty.project) == before
    assert snapshot_git_folder(dirty.project / ".git") == untouched


def test_odd_names_are_printed_in_one_line_without_secrets(
    call: Call, shop: Shop, teacher: ReplayServer
) -> None:
    token = "ghp_" + "a1B2" * 9
    name = f"line\nend \x1b[31m{token}"
    shop.agent.with_name("name").write_text(name, encoding="utf-8")
    shop.agent.write_text(
        'echo right > word.txt; echo x > "$(cat "$(dirname "$0")/name")"\n', encoding="utf-8"
    )
    run(call, shop)
    done = undo(call, shop, "--yes")
    assert done.code == 0
    assert not (shop.project / name).exists()
    assert token not in done.output
    assert "\x1b" not in done.output
    (line,) = [each for each in done.out.splitlines() if each.startswith("  remove   line")]
    assert "line\\nend" in line


def test_a_killed_run(call: Call, dirty: Shop, tmp_path: Path) -> None:
    """Nobody recorded its end: all is undone that changed, and what is edited later is left."""
    ready = tmp_path / "ready"
    dirty.agent.write_text(f"{FIXING}\ntouch {quote(str(ready))}\nsleep 600\n", encoding="utf-8")
    before = files_of(dirty.project)
    child = start_command("run", TASK, "--project-dir", dirty.project)
    until(ready)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)
    shown = undo(call, dirty, "--dry-run")
    assert "its process was killed" in shown.out
    dirty.write("created.txt", "by hand\n")
    done = undo(call, dirty, "--yes")
    assert done.code == 0, done.output
    assert "its process was killed" in done.out
    assert files_of(dirty.project) == before | {b"created.txt": ("file", b"by hand\n")}


def test_an_interrupted_run(call: Call, dirty: Shop, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    dirty.agent.write_text(f"{FIXING}\ntouch {quote(str(ready))}\nsleep 600\n", encoding="utf-8")
    before = files_of(dirty.project)
    child = start_command("run", TASK, "--project-dir", dirty.project)
    until(ready)
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=200)
    assert "  changed  " in out
    assert f"`orchestrator undo {get_last_run().id}` restores your files" in " ".join(out.split())
    dirty.write("word.txt", "by hand\n")
    done = undo(call, dirty, "--yes")
    assert done.code == 0, done.output
    assert "its process was killed" not in done.out
    assert files_of(dirty.project) == before | {b"word.txt": ("file", b"by hand\n")}


def test_runs_that_cannot_be_undone_are_one_clear_line(
    call: Call, shop: Shop, teacher: ReplayServer, tmp_path: Path
) -> None:
    done = undo(call, shop)
    assert (done.code, done.out) == (2, "")
    assert "there is no run yet" in done.err
    run(call, shop)
    first = get_last_run()
    other = tmp_path / "other"
    other.mkdir()
    done = call("undo", "--project-dir", other)
    assert f"no run has worked in {other}" in done.err
    assert call("undo", first.id, "--project-dir", other, "--dry-run").code == 0

    git(shop.project, "add", "-A")
    git(shop.project, "commit", "-q", "-m", "it is right")
    shop.write("word.txt", "wrong\n")
    git(shop.project, "commit", "-q", "-a", "-m", "it is wrong")
    run(call, shop, 0, "--isolate")
    done = undo(call, shop)
    assert done.code == 2
    assert "was isolated: it worked on the branch orchestrator/" in done.err
    assert "git branch -D orchestrator/" in done.err

    moved = shop.project.rename(tmp_path / "moved")
    done = call("undo", first.id, "--project-dir", moved)
    assert (done.code, done.out) == (2, "")
    assert f"its project {shop.project} is gone" in done.err
    moved.rename(shop.project)
    assert call("runs", "prune", "--older-than", "0", "--project-dir", shop.project).code == 0
    done = call("undo", first.id, "--project-dir", shop.project)
    assert (done.code, done.out) == (2, "")
    assert "after `state.keep_days`" in done.err


def test_lines_fit_a_terminal_but_for_a_command_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo_module, "find_width", lambda: 40)
    command = f"  $ git --git-dir={'x' * 60} diff"
    text = "files that git ignores are in no snapshot: they are left as they are"
    lines = list(undo_module._fit_lines([text, command]))
    assert lines[-1] == command
    assert " ".join(line.strip() for line in lines[:-1]) == text
    assert all(len(line) <= 40 for line in lines[:-1])
