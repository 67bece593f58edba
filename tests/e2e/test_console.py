"""What a person reads of the real Claude Code's tool calls: failed and refused ones look so."""

import io

import pytest
from rich.console import Console as Screen

from orchestrator.cli import timeline
from orchestrator.cli.console import Console
from orchestrator.models import RunOutcome
from orchestrator.storage.runs import Store
from tests.e2e.conftest import World

pytestmark = pytest.mark.whole

STUMBLES = """
  - name: the agent
    when: {speaker: agent}
    steps:
      - tools: [{name: Read, input: {file_path: "${cwd}/answers.py"}}]
      - tools: [{name: Edit, input: {file_path: "${cwd}/answers.py",
                 old_string: "return 7", new_string: "return 42"}}]
      - tools: [{name: Bash, input: {command: "curl -s http://127.0.0.1:9/x"}}]
      - tools: [{name: Edit, input: {file_path: "${cwd}/answers.py",
                 old_string: "return 0", new_string: "return 42"}}]
      - say: It is 42.
"""


def test_calls_that_failed_or_were_refused_say_why(world: World) -> None:
    result = world.run(STUMBLES)
    assert result.outcome is RunOutcome.SOLVED
    printed = io.StringIO()
    console = Console(Screen(file=printed, soft_wrap=True))
    for event in world.received_events:
        console(event)
    lines = printed.getvalue().splitlines()
    (failed,) = [line for line in lines if line.startswith("  failed   ")]
    assert failed.startswith("  failed   Edit: String to replace not found in file")
    (refused,) = [line for line in lines if line.startswith("  refused  ")]
    assert refused.startswith("  refused  Bash: ")
    assert len(refused) > len("  refused  Bash: ")
    assert lines.index("  Bash     curl -s http://127.0.0.1:9/x") < lines.index(refused)
    show = f"`git -C {world.project} diff`"  # the tests stand elsewhere
    assert [line for line in lines if line.startswith(f"  changed  1 file: {show}")]

    with Store() as store:
        rows = store.events.list_events(store.find_run("last").id)
    shown = list(timeline.iter_lines(rows))
    assert any("Edit answers.py: failed in " in line and "not found" in line for line in shown)
    assert any("curl -s http://127.0.0.1:9/x: refused" in line for line in shown)
    assert any(" plan " in line and "at most 2 attempts" in line for line in shown)
