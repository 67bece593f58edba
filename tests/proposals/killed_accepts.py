"""Accept a proposal in processes that are killed at each line in turn; for `test_kills`.

`python -m tests.proposals.killed_accepts KIND FOLDER STEP`: the imports are paid for once, and each
process is a fork. A new project is used for each.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from orchestrator.proposals import decisions, project_files, records, skill_files
from orchestrator.proposals.models import ProposalDraft, ProposalStatus
from orchestrator.rulebook import rule_manager
from tests.killed_lines import die_at
from tests.proposals.making import (
    draft_permission,
    draft_rule,
    draft_skill_proposal,
    open_queue,
    propose,
)
from tests.rulebook.writers import fork, reap

KINDS: dict[str, Callable[[Path], ProposalDraft]] = {
    "rule": draft_rule,
    "skill": draft_skill_proposal,
    "permission": draft_permission,
}
FILES = {
    module.__file__ for module in (decisions, project_files, records, skill_files, rule_manager)
}


def accept_and_die(kind: str, project: Path, line: int) -> bool:
    """Accept a proposal in a process that dies at a line; return whether it died."""
    project.mkdir()
    (identity,) = propose(project, KINDS[kind](project))

    def work() -> None:
        with open_queue(project) as manager:
            sys.settrace(die_at(line, FILES))
            manager.accept(identity)
            sys.settrace(None)

    is_killed = reap(fork(work))
    check_queue(kind, project, identity)
    return is_killed


def check_queue(kind: str, project: Path, identity: str) -> None:
    """Check the queue after a kill: accepting again completes it, and rejecting reverts it."""
    is_written = is_complete(kind, project)
    with open_queue(project) as manager:
        waiting = [item.id for item in manager.list_items()]
        assert waiting == ([] if is_written else [identity]), (waiting, is_written)
        if waiting:
            manager.accept(identity)
        proposal = manager.resolve_item(identity).proposal
        assert proposal
        assert proposal.status is ProposalStatus.ACCEPTED
        assert manager.list_items() == []
    assert is_complete(kind, project)
    assert not list(project.rglob("*.tmp"))
    with open_queue(project) as manager:
        manager.reject(identity)
    assert not is_complete(kind, project)


def is_complete(kind: str, project: Path) -> bool:
    """Return whether the files have all that the proposal writes, once."""
    rulebook, settings = project / "CLAUDE.md", project / ".claude" / "settings.local.json"
    text = rulebook.read_text("utf-8") if rulebook.exists() else ""
    assert text.count("- **Rule**: ") <= 1
    skills = list(project.glob(".claude/skills/*/SKILL.md"))
    assert all(path.read_text("utf-8").endswith("which one it was.\n") for path in skills)
    if kind == "permission":
        return settings.exists() and settings.read_text("utf-8").count("go test") == 1
    return "- **Rule**: " in text and (kind == "rule" or len(skills) == 1)


def main(kind: str, folder: str, step: str) -> None:
    """Kill at each line, or each n-th one, until one process gets through; print how many died."""
    line, killed = 1, 0
    while accept_and_die(kind, Path(folder) / f"project-{line}", line):
        killed += 1
        line += int(step)
    print(json.dumps(killed))  # noqa: T201 -- the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
