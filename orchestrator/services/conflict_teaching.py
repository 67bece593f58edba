"""Teach that works which are green alone are red together, as a failure of the merge queue."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.events import Listener, Notice
from orchestrator.failures.log_excerpt import shorten_to_line
from orchestrator.failures.patch_excerpt import build_patch_excerpt
from orchestrator.failures.patch_masking import mask_patch
from orchestrator.failures.record_masking import mask_failure
from orchestrator.failures.suite_failure import DIFF_BOUND
from orchestrator.models.fingerprints import compute_fingerprint
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.rule_file_set import RULES_DIR, Target
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.services.judge_tree import JudgeTree
from orchestrator.services.rulebooks import open_rulebook
from orchestrator.services.wiring import build_teaching_parts, open_account
from orchestrator.storage.runs import Store
from orchestrator.tasks.models import CombinedVerdict, TaskRecord
from orchestrator.tasks.rule_blobs import is_rule_path
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import teach_failure
from orchestrator.workspace.git import Git
from orchestrator.workspace.lane_base import open_bare
from orchestrator.workspace.trees import compare_trees
from teacher.errors import TeacherError
from teacher.models import Failure, FailureType

SOURCE: Final = "merge-queue"
_MOST_NAMED: Final = 10
_NEW_RULE_FILES: Final = {
    Target.PROJECT: CLAUDE_MD,
    Target.AGENTS_MD: AGENTS_MD,
    Target.RULES_DIR: f"{RULES_DIR}/learned.md",
}


@dataclass(frozen=True)
class TaughtLesson:
    """What a lesson changed in the rule files of the branch."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    """By their paths from the top of the repository; None for one that has gone."""


class _RetainedPending(Pending):
    """Retains a failure with its answer until what was learned is committed.

    If the process is killed before, the next one writes the same answer, and nobody is asked again.
    """

    def __init__(self, project: Path, state: Path) -> None:
        super().__init__(project, state)
        self._taught: list[Failure] = []

    def remove_failure(self, failure: Failure) -> None:
        """Note that a failure is taught."""
        self._taught.append(failure)

    def release(self) -> None:
        """Remove the failures that are taught."""
        for each in self._taught:
            super().remove_failure(each)


@dataclass(frozen=True)
class ConflictTeacher:
    """Teaches the failures of the merge queue of one list.

    Args:
        tree: the work tree of the list in which no agent works.
        store: the database.
        listener: receives notices.
    """

    tree: JudgeTree
    store: Store
    listener: Listener

    @contextlib.contextmanager
    def teach(
        self, record: TaskRecord, verdict: CombinedVerdict, tip: str
    ) -> Iterator[TaughtLesson]:
        """Teach a failure, and give what is to be committed in the block.

        Raises:
            InfrastructureError: git or `lanes.prepare` failed.
        """
        if not self.tree.config.is_source_enabled("pytest"):
            yield TaughtLesson()
            return
        pending = _RetainedPending(self.tree.project, self.store.directory)
        failure = self._build_failure(record, verdict, tip)
        yield self._teach_on_tip(failure, record, tip, pending)
        pending.release()

    def forget_taught(self, record: TaskRecord, verdict: CombinedVerdict, tip: str) -> None:
        """Remove what a process has left that was killed after its lesson was committed.

        A failure without an answer stays: nobody could be asked about it.
        """
        pending = Pending(self.tree.project, self.store.directory)
        masked = mask_failure(self.tree.masker, self._build_failure(record, verdict, tip))
        for each in pending.list_failures():
            if each.lesson and each.failure == masked:
                pending.remove_failure(each.failure)

    def _teach_on_tip(
        self, failure: Failure, record: TaskRecord, tip: str, pending: _RetainedPending
    ) -> TaughtLesson:
        repository, top = self.tree.repository, self.tree.top
        folder = self.tree.check_out(tip)
        before = repository.snapshot_lane(top, tip, "before a lesson")
        private = self._has_private_rules(folder)
        try:
            rulebook = self._open_rulebook(self.tree.project if private else folder, record.run)
            self._ask(failure, rulebook, pending)
        except (LoopError, TeacherError) as error:
            self._keep(failure, pending, str(error))
            return TaughtLesson()
        after = repository.snapshot_lane(top, tip, "after a lesson")
        paths = self._list_rule_paths(rulebook)
        changed = (
            path
            for path in repository.list_changes(before, after)
            if path in paths or is_rule_path(path, repository.prefix)
        )
        return TaughtLesson({path: repository.read_file(after, path) for path in changed})

    def _ask(self, failure: Failure, rulebook: MarkdownRulebook, pending: _RetainedPending) -> None:
        config, project = self.tree.config, self.tree.project
        environment = self.tree.user_environment
        # The list pays, as it pays its runs.
        account = open_account(config, self.store.database, self.tree.folder.name)
        parts = build_teaching_parts(
            config,
            project,
            self.store,
            self.listener,
            rulebook,
            account=account,
            environment=environment,
        )
        teach_failure(failure, replace(parts, pending=pending))

    def _open_rulebook(self, folder: Path, run: str) -> MarkdownRulebook:
        config, database, project = self.tree.config, self.store.database, self.tree.project
        book, _ = open_rulebook(config, folder, database, self.listener, run=run, home=project)
        return book

    def _keep(self, failure: Failure, pending: _RetainedPending, why: str) -> None:
        """Store the failure unless it is stored already, perhaps with an answer; report it."""
        masker = self.tree.masker
        masked, why = mask_failure(masker, failure), masker.mask(why)
        try:
            if all(each.failure != masked for each in pending.list_failures()):
                pending.record_failure(masked, why)
        except LoopError as error:
            why = f"{why}; {error}"
        self.listener(Notice(f"nothing learned from the conflict yet: {shorten_to_line(why, 400)}"))

    # ---- files

    def _has_private_rules(self, folder: Path) -> bool:
        """Return whether git ignores the file that a new rule goes to: it is in no commit."""
        name = _NEW_RULE_FILES.get(Target(self.tree.config.rules.target))
        if name is None or not self.tree.project.is_dir():
            return False
        # 128: the path leads through a link.
        checked = Git(folder).run("check-ignore", "-q", "--", name, allowed=(0, 1, 128))
        return checked.returncode == 0

    def _list_rule_paths(self, rulebook: MarkdownRulebook) -> set[str]:
        """Return the paths of the rule files in the work tree, links followed, from its top."""
        top = self.tree.top.resolve()
        found = (rulebook.resolve_path(name) for name in rulebook.list_files())
        return {path.relative_to(top).as_posix() for path in found if path.is_relative_to(top)}

    # ---- the failure

    def _build_failure(self, record: TaskRecord, verdict: CombinedVerdict, tip: str) -> Failure:
        cases = verdict.failing
        summary = f"green alone, red together with others: {verdict.message}"
        return Failure(
            type=FailureType.TEST_FAILURE,
            source=SOURCE,
            summary=shorten_to_line(summary, 300),
            fingerprint=compute_fingerprint(
                SOURCE, [(case, "") for case in cases] or [("suite", verdict.message)]
            ),
            task=record.item.text or record.item.title,
            diff=self._describe_work(record),
            logs=verdict.output or verdict.message,
            context=self._describe_context(record, verdict, tip),
            cases=cases,
            case_fingerprints=tuple(compute_fingerprint(SOURCE, [(case, "")]) for case in cases),
        )

    def _describe_work(self, record: TaskRecord) -> str:
        git = open_bare(self.tree.repository.folder)
        with tempfile.TemporaryDirectory(prefix="orchestrator-conflict-") as folder:
            patch = Path(folder) / "work.patch"
            diff = compare_trees(git, record.base, record.work).write_diff(git, patch)
            mask_patch(self.tree.masker, patch, "orchestrator tasks status")
            return build_patch_excerpt(diff, (), DIFF_BOUND)

    def _describe_context(self, record: TaskRecord, verdict: CombinedVerdict, tip: str) -> str:
        commits = self.tree.repository.list_commits(record.base, tip)
        subjects = [shorten_to_line(message.partition("\n")[0], 100) for _, message in commits]
        landed = [f"- {subject}" for subject in subjects[-_MOST_NAMED:] if subject]
        failing = [f"- {shorten_to_line(case, 200)}" for case in verdict.failing[:_MOST_NAMED]]
        return "\n".join(
            [
                "Each work was green alone: this one passed the whole suite on the tree that it "
                "started from. Together with what has landed since, cases fail.",
                "Landed since:",
                *(landed or ["- nothing that is known"]),
                "Failing together:",
                *(failing or [f"- {verdict.message}"]),
            ]
        )
