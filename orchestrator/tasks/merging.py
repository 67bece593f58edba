"""The merge queue: bring works onto the tip of a list's branch, one after the other.

A work is merged virtually, without a checkout. If the tip has moved since the work's base, the
whole suite runs on the combined tree before anything lands: works that are green alone may be red
together. It runs as well if the run has left files that its work has not. Works that wait at the
same time are judged together; if they are red, each half is tried alone, until the one is found
that does not go with the others.

The tip is a ref. It is moved by compare-and-swap, so a kill leaves the old tip or the new one, and
the trailer `Run:` of each commit says what has landed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.tasks.models import CombinedVerdict, ListRecord, TaskRecord, Work
from orchestrator.tasks.ports import CombinedJudge, RuleWriter
from orchestrator.workspace.lanes import LaneRepository

TIP: Final = "refs/orchestrator/tip"
"""The ref of the last commit that has landed."""

_LIST: Final = "Task-List: "
_RUN: Final = "Run: "
_SUBJECT_LENGTH: Final = 72
_MOST_NAMED: Final = 3


@dataclass(frozen=True)
class MergeResult:
    """What the merge queue did with a work."""

    work: Work
    landed: str = ""
    """Its commit on the branch; empty if it did not land."""
    conflicts: tuple[str, ...] = ()
    """Paths that both it and what has landed before have changed in the same lines."""
    verdict: CombinedVerdict | None = None
    """Of a work that is green alone and red on the tip."""

    @property
    def reason(self) -> str:
        """Why it did not land, in one line; empty if it did."""
        if self.conflicts:
            return f"conflicts with what has landed, in {_name_some(self.conflicts)}"
        if self.verdict is None:
            return ""
        failing = _name_some(self.verdict.failing) or self.verdict.message
        reason = f"green alone, red with what has landed: {failing}"
        if unseen := self.work.end.unseen:
            reason += f"; the work uses files that git ignores: {_name_some(unseen)}"
        return reason


@dataclass(frozen=True)
class _Merged:
    work: Work
    commit: str


@dataclass(frozen=True)
class MergeQueue:
    """Lands works, and writes what their runs learned.

    Args:
        record: the list.
        repository: holds all commits of the list.
        judge: runs the suite on combined trees.
        rules: writes what was learned.
        on_judging: called with the works that are judged together.
    """

    record: ListRecord
    repository: LaneRepository
    judge: CombinedJudge
    rules: RuleWriter
    on_judging: Callable[[tuple[str, ...]], None]

    @property
    def tip(self) -> str:
        """The last commit that has landed."""
        return self.repository.read_ref(TIP) or self.record.base

    def process_works(self, works: Sequence[Work]) -> list[MergeResult]:
        """Land the works that are solved, and write what all of them learned.

        Called again with the same works, after a kill, it does nothing twice.

        Raises:
            LoopError: git failed, or the suite gives no verdict; works that are not on the branch
                by then can be given again.
        """
        done = self.find_landed()
        solved = [each for each in works if each.solved]
        results = [
            MergeResult(each, done[each.record.run]) for each in solved if each.record.run in done
        ]
        left = [each for each in solved if each.record.run not in done]
        results += self._land_works(left)
        for each in works:
            tip, record = self.tip, each.record
            self._move_tip(self.rules.write_rules(each.end, record.base, tip, record.run), tip)
        for result in results:
            if result.verdict:
                tip, record = self.tip, result.work.record
                self._move_tip(self.rules.teach_conflict(record, result.verdict, tip), tip)
        return results

    def find_landed(self) -> dict[str, str]:
        """Return the commits on the branch, by the ids of the runs that made them."""
        commits = self.repository.list_commits(self.record.base, self.tip)
        found = {}
        for commit, message in commits:
            # The title of a task is text of others: only the trailers at the end are written here.
            trailers = message.rpartition("\n\n")[2].split("\n")
            if f"{_LIST}{self.record.id}" in trailers and trailers[-1].startswith(_RUN):
                found[trailers[-1].removeprefix(_RUN)] = commit
        return found

    def _land_works(self, works: Sequence[Work]) -> list[MergeResult]:
        """Land works together, or halve them until those are found that cannot land."""
        if not works:
            return []
        tip = self.tip
        stack, results = self._stack_works(works, tip)
        if not stack:
            return results
        verdict = self._judge_stack(stack, tip)
        if verdict.green:
            self._move_tip(stack[-1].commit, tip)
            return results + [MergeResult(each.work, each.commit) for each in stack]
        if len(stack) == 1:
            return [*results, MergeResult(stack[0].work, verdict=verdict)]
        merged = [each.work for each in stack]
        half = len(merged) // 2
        return results + self._land_works(merged[:half]) + self._land_works(merged[half:])

    def _stack_works(
        self, works: Sequence[Work], tip: str
    ) -> tuple[list[_Merged], list[MergeResult]]:
        """Merge works onto the tip, one upon the other; those with conflicts are left out."""
        stack, refused = list[_Merged](), list[MergeResult]()
        for each in works:
            on = stack[-1].commit if stack else tip
            if each.end.work in ("", each.record.base):  # done without a change
                stack.append(_Merged(each, on))
                continue
            merge = self.repository.merge(on, each.end.work)
            if merge.conflicts:
                refused.append(MergeResult(each, conflicts=merge.conflicts))
                continue
            is_new = merge.tree != self.repository.tree_of(on)
            message = format_message(each.record, self.record.id)
            commit = self.repository.commit_tree(merge.tree, [on], message) if is_new else on
            stack.append(_Merged(each, commit))
        return stack, refused

    def _judge_stack(self, stack: Sequence[_Merged], tip: str) -> CombinedVerdict:
        combined = stack[-1].commit
        is_judged = len(stack) == 1 and stack[0].work.record.base == tip
        # The run's own verdict was about this very tree, if nothing but the tree was there.
        if combined == tip or (is_judged and not stack[0].work.end.unseen):
            return CombinedVerdict(green=True)
        self.on_judging(tuple(each.work.record.item.id for each in stack))
        return self.judge.judge(combined, tip)

    def _move_tip(self, new: str, old: str) -> None:
        """Point the branch at a commit, if it is still at the one that this was made on."""
        if new == old:
            return
        known = self.repository.read_ref(TIP)
        if not self.repository.move_ref(TIP, new, known and old):
            raise InfrastructureError(
                f"another process has moved the branch of the list {self.record.id}",
                "check that only one `orchestrator tasks` works on it, then `tasks resume`",
            )


def format_message(record: TaskRecord, list_id: str) -> str:
    """Return the message of the commit with the work of a task."""
    title = record.item.title
    subject = title if len(title) <= _SUBJECT_LENGTH else f"{title[: _SUBJECT_LENGTH - 1]}…"
    rest = "" if subject == title else f"{title}\n\n"
    return f"{subject}\n\n{rest}Task: {record.item.id}\n{_LIST}{list_id}\n{_RUN}{record.run}\n"


def _name_some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_NAMED])
