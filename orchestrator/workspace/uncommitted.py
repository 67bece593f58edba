"""Count the files of a project that are not in its last commit."""

from pathlib import Path

from orchestrator.errors import LoopError
from orchestrator.workspace.git import open_without_filters
from orchestrator.workspace.private import MACHINE_MADE
from orchestrator.workspace.repository import find_repository


def count_uncommitted_files(project: Path) -> int | None:
    """Return how many files below a folder differ from the last commit, or are new.

    Files that git ignores do not count, nor do those that tools generate and git does not track,
    nor repositories inside the folder, which no snapshot contains.

    Returns:
        None if the folder is in no repository, or git cannot say.
    """
    try:
        repository = find_repository(project)
        if not repository:
            return None
        exclude = [f"--exclude={pattern}" for pattern in MACHINE_MADE]
        git = open_without_filters(project)
        untracked = git.read_output("ls-files", "-z", "--others", "--exclude-standard", *exclude)
        # Separate, because `git status` takes no ignore rules in addition to the project's.
        status = git.read_output(
            *("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames"),
            *("--ignore-submodules=all", "--", "."),
        )
    except LoopError:
        return None
    files = [path for path in untracked.split(b"\0")[:-1] if not path.endswith(b"/")]
    return len(files) + status.count(b"\0")
