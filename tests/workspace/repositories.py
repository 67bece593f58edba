"""Real repositories for these tests, and a way to see whether anything in them was touched."""

import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.workspace import GitWorkspace


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> bytes:
    """Run git as a user would, and give what it printed."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def repository(folder: Path, **files: str) -> Path:
    """Make a repository, with one commit when there are files (`a_py` is named `a.py`)."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "gc.auto", "0")
    if files:
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8", newline="")
        commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all that is there."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "work")


def snapshot_git_folder(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Each path below a `.git` with mode, time of change and bytes: equal means untouched.

    Of objects, git renews the time when it meets one again, so that it is not pruned; it does so
    for borrowed ones too. Their times stay out.
    """
    found = {}
    for root, names, files in os.walk(folder):
        for name in (*names, *files):
            path = Path(root) / name
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            if path.is_symlink():
                content = os.fsencode(path.readlink())
            is_object = "objects" in path.parts and stat.S_ISREG(status.st_mode)
            found[str(path)] = (status.st_mode, 0 if is_object else status.st_mtime_ns, content)
    return found


def files_of(project: Path) -> dict[bytes, tuple[str, bytes]]:
    """The project's files outside `.git`: path to kind (`file`, `program`, `link`) and bytes."""
    found = {}
    for root, names, files in os.walk(os.fsencode(project)):
        links = [
            name for name in names if (Path(os.fsdecode(root)) / os.fsdecode(name)).is_symlink()
        ]
        names[:] = [name for name in names if name != b".git"]
        for name in (*files, *links):
            full = Path(os.fsdecode(root)) / os.fsdecode(name)
            relative = os.fsencode(full.relative_to(project))
            if full.is_symlink():
                found[relative] = ("link", os.fsencode(full.readlink()))
            else:
                kind = "program" if full.stat().st_mode & 0o100 else "file"
                found[relative] = (kind, full.read_bytes())
    return found


def paths_in(state: Path, tree: str) -> list[str]:
    """What a snapshot holds."""
    listing = git(state / "git", "ls-tree", "-r", "-z", "--name-only", tree)
    return os.fsdecode(listing).split("\0")[:-1]


@dataclass(frozen=True)
class DiskBench:
    """A project on disk, for the conformance suite."""

    project: Path
    workspace: GitWorkspace

    def write(self, path: str, content: bytes) -> None:
        full = self.project / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content)

    def delete(self, path: str) -> None:
        (self.project / path).unlink()

    def files(self) -> dict[str, bytes]:
        return {os.fsdecode(path): content for path, (_, content) in files_of(self.project).items()}
