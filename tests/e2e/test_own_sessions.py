"""A run of ours is recorded before it starts, and nothing in it, or under it, is learned from."""

import shlex
from pathlib import Path

import pytest

from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.sessions.reading.own_sessions import load_own_sessions
from orchestrator.sessions.store.listing import list_sessions
from orchestrator.sessions.store.records import load_occurrences
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import World
from tests.sessions.written import scan

FAILING = "cat missing-{number}.txt"


@pytest.mark.whole
def test_nothing_is_learned_from_our_own_sessions(world: World) -> None:
    program = find_bundled_program()
    assert program
    child = f"{shlex.quote(str(program))} -p 'Say hello to the child' < /dev/null"
    calls = [*(FAILING.format(number=number) for number in range(4)), child]
    steps = "".join(
        f"      - tools: [{{name: Bash, input: {{command: {command!r}}}}}]\n" for command in calls
    )
    scenario = (
        "\n  - {when: {speaker: agent, contains: Say hello to the child}, reply: {say: Hello.}}"
        f"\n  - when: {{speaker: agent}}\n    steps:\n{steps}      - say: It failed.\n"
    )
    world.run(
        scenario,
        learning__max_retries=0,
        **{"claude__allowed_tools": ["Bash"], "failure_sources": []},
    )
    home = world.home / ".claude"
    with open_database(resolve_state_directory()) as database:
        result = scan(database, home)
        own = load_own_sessions(database, {})
        found = list_sessions(database)
        assert all(each.ended for each in own.sessions)
        sessions = {each for each in own.ids if "#" not in each}  # the others are runs
        assert sessions <= {each.id for each in found}
        assert len(found) > len(sessions)  # the child has an id of its own
        assert result.sessions == {"own": len(found)}
        assert {Path(each.folder) for each in found} == {world.project.resolve()}
        assert load_occurrences(database) == []
