"""Complete the commit of an approved rule if the process is killed before it is made.

<state>/commits/<rule>-<project>.json    an approval whose commit is not made yet
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import LoopError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.platform import files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.rulebook.history import History
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.storage.state_directory import build_state_error


@dataclass(frozen=True)
class CommitNotes:
    """The approvals in one project whose commits are not made yet.

    Args:
        folder: the private folder for the notes.
        project: the folder of the project.
    """

    folder: Path
    project: Path

    @contextmanager
    def promise_commit(self, rule: str) -> Iterator["PromisedCommit"]:
        """Note that a rule is going to be committed; the note is removed at the end.

        An error removes it too, because it is reported; only a process that is killed leaves it.
        """
        path = self.folder / f"{rule}-{hash_path(self.project)}.json"
        try:
            yield PromisedCommit(path, rule)
        finally:
            path.unlink(missing_ok=True)

    def finish_commits(self, history: History, rule_files: RuleFiles, listener: Listener) -> None:
        """Make the commits that killed processes have left out, or report why one is not made.

        Args:
            history: the history of the rulebook.
            rule_files: the files with the rules.
            listener: receives a notice about each.
        """
        notes = sorted(self.folder.glob(f"*-{hash_path(self.project)}.json"))
        if not notes:
            return
        # Imported here, because `rules list` does not pay for git.
        from orchestrator.rulebook.committing import commit_rule, is_committed

        for path in notes:
            try:
                note = json.loads(path.read_bytes())
                rule, paths = str(note["rule"]), [Path(each) for each in note["files"]]
                mark = ProcessMark(*note["process"])
            except (OSError, ValueError, KeyError, TypeError, RecursionError):
                continue  # another process has just finished it
            if is_running(mark, local=True):
                continue
            path.unlink(missing_ok=True)
            record = history.find_record(rule)
            if record is None or record.status.is_pending:
                continue  # it was killed before the rule was approved
            try:
                if is_committed(paths):
                    continue
                _require_own_change(paths, rule_files)
                commit = commit_rule(paths, record)
            except LoopError as error:
                listener(Notice(f"{rule} was approved, and its commit was cut short: {error}"))
            else:
                listener(Notice(f"the approval of {rule} was cut short; committed as {commit}"))


@dataclass(frozen=True)
class PromisedCommit:
    """The note about one commit."""

    path: Path
    rule: str

    def record_files(self, paths: Sequence[Path]) -> None:
        """Write the note, before the files are changed.

        Raises:
            InfrastructureError: it cannot be written.
        """
        value = {"rule": self.rule, "files": list(map(str, paths)), "process": mark_process()}
        try:
            data = json.dumps(value).encode("ascii")
            files.write_file(self.path, data, 0o600, durable=True, alone=True)
        except OSError as error:
            raise build_state_error(self.path.parent, error) from error


def _require_own_change(paths: Sequence[Path], rule_files: RuleFiles) -> None:
    """Raise an error unless each file is as this program wrote it last."""
    for path in paths:
        if files.read_whole_file(path) != rule_files.copies.read(path):
            raise UsageError(f"{path} was changed since", "commit it yourself")
