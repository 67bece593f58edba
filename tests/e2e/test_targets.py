"""A whole run on the real programs whose rule stands elsewhere than in CLAUDE.md, and helps."""

import pytest

from orchestrator.errors import ConfigError
from orchestrator.models import RunOutcome
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, RULE, WRONG, World
from tests.open_history import OpenHistory

SCOPED_LESSON = LESSON.replace("paths: []", 'paths: ["answers.py"]')
FINDS_THE_RULE = """
  - name: the agent looks at the file, and is told the rule by that
    when: {speaker: agent, lacks: Never answer before asking, contains: This is a new attempt}
    reply: {tools: [{name: Read, input: {file_path: "${cwd}/answers.py"}}]}
"""


@pytest.mark.whole
def test_a_rule_for_some_files_helps_once_one_is_touched(world: World) -> None:
    result = world.run(
        FINDS_THE_RULE, WRONG, RIGHT_WITH_RULE, SCOPED_LESSON, rules__target="rules-dir"
    )
    assert result.outcome is RunOutcome.SOLVED
    assert [attempt.is_solved for attempt in result.attempts] == [False, True]
    path = world.project / ".claude/rules/learned-answers-py.md"
    assert RULE in path.read_text(encoding="utf-8")
    assert world.rulebook == ""
    with OpenHistory(resolve_state_directory(), (world.project / "CLAUDE.md").resolve()) as history:
        (record,) = history.list_records()
        assert (record.rule.paths, record.counters.runs) == (("answers.py",), 1)
        assert [event.what for event in history.list_events(record.rule.id)] == [
            "added",
            "prevented",
        ]


@pytest.mark.whole
@pytest.mark.parametrize(
    ("settings", "name"),
    [({"rules__target": "user"}, ""), ({"rules__mirror": True}, "AGENTS.md")],
    ids=["user", "mirror"],
)
def test_rules_elsewhere_reach_the_next_attempt(
    world: World, settings: dict[str, object], name: str
) -> None:
    result = world.run(WRONG, RIGHT_WITH_RULE, LESSON, **settings)
    assert result.outcome is RunOutcome.SOLVED
    assert len(result.attempts) == 2
    path = world.project / name if name else world.home / ".claude" / "CLAUDE.md"
    assert RULE in path.read_text(encoding="utf-8")


def test_a_target_that_is_never_loaded_is_refused_before_a_token_is_spent(world: World) -> None:
    (world.project / "CLAUDE.md").write_text("Use tabs.\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"does not load AGENTS\.md beside .*CLAUDE\.md"):
        world.run(WRONG, rules__target="agents-md")
    assert world.requests == ()
