"""Stop a list on which nothing moves any more: what is stuck must not cost a whole night."""

from dataclasses import dataclass, field

from orchestrator.counts import format_count
from orchestrator.tasks.models import TaskEnd


@dataclass
class Breaker:
    """Counts tasks in a row without progress, since this process works on the list.

    A run made progress if its task is solved, or if fewer cases fail than after the task's last
    run. What the agent says, and how much it prints, is no progress. Runs of one task count once:
    when a task is given up is decided by its own count.

    Args:
        limit: how many tasks in a row stop the list.
    """

    limit: int
    _idle: set[str] = field(default_factory=set)
    _same: set[str] = field(default_factory=set)
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
        if solved or fewer:
            self._idle.clear()
        else:
            self._idle.add(task)
        if solved or end.fingerprint != self._fingerprint:
            self._same.clear()
        self._fingerprint = end.fingerprint
        if end.fingerprint and not solved:
            self._same.add(task)

    def find_reason(self) -> str:
        """Return why the list has to stop; empty if it may go on."""
        if len(self._same) >= self.limit:
            return f"{format_count(len(self._same), 'task')} in a row with the same failure"
        if len(self._idle) >= self.limit:
            return f"{format_count(len(self._idle), 'task')} in a row without progress"
        return ""
