"""Review in processes that are killed at each n-th line in turn; for `test_review_kills`.

`python -m tests.faults.reviewer FOLDER STEP`: the imports are paid for once, and each process is a
fork with a state directory of its own.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.proposals import records
from orchestrator.proposals.records import ProposalStore
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.services import review, review_lessons, review_night, review_proposals
from orchestrator.services.review import ReviewRequest, review_sessions
from orchestrator.storage.opening import open_database
from orchestrator.teaching import pending, teach
from tests.killed_lines import die_at
from tests.rulebook.writers import fork, reap
from tests.services.test_review import FAILED, HIDING, LESSON
from tests.sessions.written import Written

FILES = {
    module.__file__
    for module in (records, review, review_lessons, review_night, review_proposals, pending, teach)
}


def make_sessions(home: Path, project: Path) -> None:
    """Write two sessions with a hidden failure."""
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    for name in ("one", "two"):
        made = Written(home / ".claude", name, folder=str(project), day=day)
        made.prompt("Make the cart work")
        made.call("Bash", {"command": HIDING}, FAILED)
        made.save()


def review_and_die(project: Path, state: Path, line: int) -> bool:
    """Review in a process that dies at a line; return whether it died."""
    os.environ["ORCHESTRATOR_STATE_DIR"] = str(state)

    def work() -> None:
        sys.settrace(die_at(line, FILES))
        review_sessions(ReviewRequest(project), lambda _event: None)
        sys.settrace(None)

    is_killed = reap(fork(work))
    check_next_review(project, state)
    return is_killed


def check_next_review(project: Path, state: Path) -> None:
    """Check that the next review completes what was cut short, once."""
    since = datetime.now(UTC) - timedelta(days=30)
    outcome = review_sessions(ReviewRequest(project, since), lambda _event: None)
    assert outcome.report, outcome.message
    assert outcome.path
    assert outcome.path.exists()
    with open_database(state) as database:
        (proposal,) = ProposalStore(database).list_proposals()
        assert proposal.is_open
        assert proposal.rule, proposal
        assert len(database.fetch_rows("SELECT id FROM rules")) == 1
    assert not list(state.glob("pending/*/*.json"))
    assert not (project / "CLAUDE.md").exists()


def main(folder: str, step: str) -> None:
    """Kill at each n-th line until one process gets through; print how many died."""
    top = Path(folder)
    project = top / "project"
    project.mkdir()
    make_sessions(top / "home", project)
    os.environ.update(HOME=str(top / "home"), ANTHROPIC_API_KEY="sk-not-a-key")
    scenario = {"answers": [{"when": {"speaker": "teacher"}, "reply": {"json": dict(LESSON)}}]}
    line, killed = 1, 0
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        os.environ["ANTHROPIC_BASE_URL"] = model.url
        while review_and_die(project, top / f"state-{line}", line):
            killed += 1
            line += int(step)
        asked = len(model.requests)
    # A question that a killed process had asked is asked again only if its answer was lost.
    print(json.dumps({"killed": killed, "asked": asked}))


if __name__ == "__main__":
    main(*sys.argv[1:])
