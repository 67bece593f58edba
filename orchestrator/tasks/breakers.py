"""Stop a list whose runs bring nothing any more: what is stuck must not cost a whole night."""

from dataclasses import dataclass, field

from orchestrator.tasks.models import TaskEnd


@dataclass
class Breaker:
    """Counts runs without progress, and equal failures, since this process works on the list.

    A run made progress if its task is solved, or if fewer cases fail than after the task's last
    run. What the agent says, and how much it prints, is no progress.

    Args:
        limit: how many in a row stop the list.
    """

    limit: int
    _idle: int = 0
    _same: int = 0
    _fingerprint: str = ""
    _failing: dict[str, int] = field(default_factory=dict)

    def observe(self, task: str, end: TaskEnd, *, solved: bool) -> None:
        """Count a run that has ended.

        Args:
            task: the id of its task.
            end: what came of it.
            solved: whether the task is solved.
        """
        count = len(end.failing)
        fewer = 0 < count < self._failing.get(task, 0)
        if count:
            self._failing[task] = count
        self._idle = 0 if solved or fewer else self._idle + 1
        is_same = end.fingerprint and end.fingerprint == self._fingerprint and not solved
        self._same = self._same + 1 if is_same else int(bool(end.fingerprint))
        self._fingerprint = end.fingerprint

    def find_reason(self) -> str:
        """Return why the list has to stop; empty if it may go on."""
        if self._same >= self.limit:
            return f"the same failure {self._same} times in a row"
        if self._idle >= self.limit:
            return f"{self._idle} runs in a row without progress"
        return ""
