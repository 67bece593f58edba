"""Return what an isolated run learned in the user's private instruction files to those files.

Files that git ignores or does not track are in no commit, so a rule in one of them cannot reach
the user by a branch. It is merged into the user's own file as soon as it is written, and again
before the end of the run is recorded: a process that is killed in between loses none.

<run folder>/merged/NAME     a rule file of the work tree as it was when it was last merged
<run folder>/changed/PATH    a private file that the agent changed
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator import events
from orchestrator.errors import LoopError
from orchestrator.platform import files
from orchestrator.rulebook.document import HEADING, contains_rules, parse_document
from orchestrator.rulebook.editing import remove_rule
from orchestrator.rulebook.files import require_writable
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rule_merging import merge_learned_rules
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.workspace.carrying import CarriedFiles


@dataclass(frozen=True)
class PrivateRules:
    """The rules of an isolated run that belong into private files of the user.

    Args:
        carried: the private files in the work tree.
        learned: the rule files in the work tree.
        own: the rulebook in the user's folder.
        folder: the run's folder.
        emit: receives notices.
    """

    carried: CarriedFiles
    learned: RuleFiles
    own: MarkdownRulebook
    folder: Path
    emit: events.Listener

    def handle_event(self, event: events.Event) -> None:
        """Merge each rule as soon as it is written; an error is only reported until the end."""
        if isinstance(event, events.RuleWritten):
            try:
                self.merge_rules()
            except LoopError as error:
                self.emit(events.Notice(f"the rule is not in your own file yet: {error}"))

    def require_writable(self) -> None:
        """Check that rules can be written into the private files, before a token is spent.

        Raises:
            RulebookError, InfrastructureError: a file cannot be written.
        """
        for name in self._list_private_names():
            require_writable(self.own.resolve_path(name))

    def merge_rules(self) -> tuple[str, ...]:
        """Merge the rules into the user's files, and return the private paths, from the top.

        Raises:
            RulebookError, InfrastructureError: a file cannot be read or written.
        """
        names = self._list_private_names()
        if names:
            self._merge_files(names)
        paths = self._map_rule_files()
        return tuple(sorted({*self.carried.list_paths(), *(paths[name] for name in names)}))

    def report_changes(self) -> None:
        """Report private files that the agent changed, and store its versions."""
        for path in self.carried.list_paths():
            now = files.read_whole_file(self.carried.worktree.folder / path)
            then = files.read_whole_file(self.carried.originals / path)
            if now is None or now == then or _strip_rules(now) == _strip_rules(then or b""):
                continue
            copy = self.folder / "changed" / path
            files.write_file(copy, now, 0o600)
            own = self.carried.worktree.source / path
            self.emit(
                events.Notice(f"the agent changed its copy of {own}, which is not in git: {copy}")
            )

    def _list_private_names(self) -> list[str]:
        """Return the names of the rule files that are private."""
        paths = self._map_rule_files()
        private = set(self.carried.list_private_paths(paths.values()))
        return [name for name, path in paths.items() if path in private]

    def _map_rule_files(self) -> dict[str, str]:
        """Return the paths of the rule files from the top of the work tree, by their names."""
        top = self.carried.worktree.folder.resolve()
        names = self.learned.list_project_names()
        found = {name: self.learned.resolve_path(name) for name in names}
        return {
            name: path.relative_to(top).as_posix()
            for name, path in found.items()
            if path.is_relative_to(top)
        }

    def _merge_files(self, names: Iterable[str]) -> None:
        learned = self.learned.read().file_set
        names = [name for name in names if learned.files.get(name)]
        before = RuleFileSet({name: self._read_merged(name) for name in names})

        def merge(own: RuleFileSet) -> RuleFileSet:
            return merge_learned_rules(own, before, learned, names, self.own.today())

        changed = self.own.edit_files(merge)
        self.own.list_rules()  # the history follows the files
        for name in names:
            files.write_file(self.folder / "merged" / name, learned.files[name], 0o600)
        for path in changed:
            self.emit(events.Notice(f"learned rules are in {path}, which is not in git"))

    def _read_merged(self, name: str) -> bytes:
        merged = files.read_whole_file(self.folder / "merged" / name)
        if merged is not None:
            return merged
        path = self._map_rule_files()[name]
        return files.read_whole_file(self.carried.originals / path) or b""


def _strip_rules(data: bytes) -> list[bytes]:
    """Return the lines of a file that are not about rules, without blank ones."""
    if contains_rules(data):
        for rule in parse_document(data).rules:
            data = remove_rule(data, rule.id)
    stripped = (line.strip() for line in data.splitlines())
    return [line for line in stripped if line and line != HEADING.encode()]
