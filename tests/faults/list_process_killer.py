"""Kill processes that work on a list at random moments; their runs are processes of their own.

`python -m tests.faults.list_process_killer FOLDER SEED KILLS`: suites, git, the runs and their
agent are real; only the words of the teacher are scripted.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final

from orchestrator.replay import ReplayServer, parse_scenario
from tests.e2e.list_world import lesson
from tests.faults.list_killer import TAUGHT, check, prepare, work_on_list
from tests.rulebook.making import LISTS
from tests.rulebook.writers import fork

AGENT: Final = Path(__file__).with_name("list_agent.sh")
LONGEST_SECONDS: Final = 12.0
"""Until a kill: about as long as three runs take, so that lists go on between kills."""


def die_later(folder: Path, seconds: float) -> bool:
    """Work on a list in a process that is killed some time later; return whether it was."""
    child = fork(lambda: work_on_list(folder))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return False
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def main(folder: str, seed: str, kills: str) -> None:
    """Kill a list again and again, let it end, and print how often it was killed."""
    top, chance = Path(folder).resolve(), random.Random(int(seed))  # noqa: S311 -- repeatable
    os.environ.update(HOME=str(top / "home"), ANTHROPIC_API_KEY="sk-not-a-key")
    (top / "home").mkdir()
    answers = [lesson("the weights are too large", TAUGHT), lesson("one weight", LISTS.rule)]
    killed = 0
    with ReplayServer(parse_scenario(json.dumps({"answers": answers}))) as model:
        os.environ["ANTHROPIC_BASE_URL"] = model.url
        before = prepare(top / "list", ["sh", str(AGENT)])
        while killed < int(kills) and die_later(top / "list", chance.uniform(0.2, LONGEST_SECONDS)):
            killed += 1
        if killed == int(kills):
            assert not die_later(top / "list", 600)
        check(top / "list", before, [LISTS])
        asked = len(model.requests)
    print(json.dumps({"kills": killed, "asked": asked}))


if __name__ == "__main__":
    main(*sys.argv[1:])
