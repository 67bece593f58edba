"""How it is known that a rule was sent: the transcript's word, the file's, or that it was not."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import events
from orchestrator.agents.claude_instructions import Instruction, read_instructions
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult, Diff, FileChange, Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.outcomes import build_outcomes_listener
from orchestrator.rulebook.records import Exposure, hash_text
from orchestrator.rulebook.rule_file_set import Target
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from orchestrator.rulebook.witness import witness_rules
from teacher.models import RuleText
from tests.agents.claude import claude, say, steps, use
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, add

RULE = Rule("r-1", NONE)
OTHER = Rule("r-2", LISTS)
SCOPED = Rule("r-3", RuleText("Only for sources", "Always", "So"), paths=("src/**",))
SENT = Instruction(
    "/p/CLAUDE.md",
    "# P\n\n## Learned Rules & Patterns\n\n"
    f"- **Rule**: {NONE.rule}\n- **When**: {NONE.when}\n- **Why**: {NONE.why}\n"
    "  - **Source**: Learned on 2026-11-20 from test failure\n",
)


def kinds(exposures: list[Exposure]) -> dict[str, str]:
    return {each.rule_id: str(each.witness) for each in exposures}


def test_a_rule_whose_text_was_sent_has_the_transcript_for_a_witness() -> None:
    found = witness_rules([RULE, OTHER, SCOPED], [SENT])
    assert kinds(found) == {"r-1": "transcript", "r-2": "none", "r-3": "none"}
    assert found[0].text_hash == hash_text(NONE)


def test_another_text_of_a_rule_is_another_rule_to_its_witness() -> None:
    amended = replace(RULE, text=replace(NONE, why="For another reason"))
    assert kinds(witness_rules([amended], [SENT])) == {"r-1": "none"}
    assert hash_text(amended.text) != hash_text(NONE)
    assert hash_text(replace(NONE, why=f" {NONE.why}\n")) == hash_text(NONE)


def test_words_outside_of_the_managed_section_are_no_rule() -> None:
    quoted = Instruction("/p/CLAUDE.md", SENT.text.replace("## Learned", "## Not Learned"))
    assert kinds(witness_rules([RULE], [quoted])) == {"r-1": "none"}


def test_without_a_word_of_what_was_sent_the_file_is_the_witness() -> None:
    assert kinds(witness_rules([RULE, SCOPED])) == {"r-1": "file", "r-3": "none"}


class Remembering(OpenHistory):
    """Keeps what it is told of exposures, for a look."""

    def __init__(self, directory: Path, book: Path) -> None:
        super().__init__(directory, book)
        self.kept: dict[tuple[int, str], str] = {}

    def record_exposures(self, run: str, number: int, rules: Iterable[Exposure]) -> None:
        rules = list(rules)
        super().record_exposures(run, number, rules)
        self.kept |= {(number, each.rule_id): str(each.witness) for each in rules}


@pytest.fixture
def history(project: Path, tmp_path: Path) -> Iterator[Remembering]:
    with closing(Remembering(tmp_path / "state", project / "CLAUDE.md")) as opened:
        yield opened


def learn(project: Path, tmp_path: Path, history: History) -> tuple[MarkdownRulebook, str, str]:
    """Learn a rule for all files, and one for `src/` alone."""
    shelf = RuleFiles(project, Target.RULES_DIR, copies=tmp_path / "copies")
    book = MarkdownRulebook(shelf, tmp_path / "locks", policy=RulebookPolicy(history))
    always = book.apply(add(NONE), FAILURE)
    scoped = book.apply(replace(add(LISTS), paths=("src/**",)), FAILURE)
    assert always
    assert scoped
    return book, always.rule.id, scoped.rule.id


@pytest.mark.parametrize(("touched", "expected"), [("src/a.py", "transcript"), ("b.py", "none")])
def test_the_real_program_bears_witness(
    project: Path, home: Path, tmp_path: Path, history: Remembering, touched: str, expected: str
) -> None:
    book, always, scoped = learn(project, tmp_path, history)
    (project / "src").mkdir()
    (project / touched).write_text("x = 1\n", encoding="utf-8")
    listen = build_outcomes_listener(history, book, "run-1", pytest.fail)
    listen(events.AttemptStarted(1, 1, "go"))
    assert history.kept == {(1, always): "file"}
    # Only read: what the agent changed says nothing of the rule.
    scenario = steps(use("Read", file_path=str(project / touched)), say("done"))
    with claude(scenario) as (agent, _):
        result = agent.run("go", project, AgentLimits(), lambda _event: None)
    listen(events.AgentFinished(result))
    listen(events.DiffTaken(Diff((), Path("patch"))))
    assert history.kept == {(1, always): "transcript", (1, scoped): expected}
    exposed = {record.rule.id for record in history.list_exposed_rules("run-1", 1)}
    assert exposed == {always} | ({scoped} if expected == "transcript" else set())


def test_an_attempt_that_goes_on_was_made_with_the_rules_that_it_started_with(
    project: Path, tmp_path: Path, history: Remembering
) -> None:
    book, _, _ = learn(project, tmp_path, history)
    listen = build_outcomes_listener(history, book, "run-1", pytest.fail)
    listen(events.AttemptStarted(1, 2, "go", resumed=True))
    assert history.kept == {}


def test_of_an_agent_without_a_transcript_the_changed_files_say_what_was_loaded(
    project: Path, tmp_path: Path, history: Remembering
) -> None:
    book, always, scoped = learn(project, tmp_path, history)
    listen = build_outcomes_listener(history, book, "run-1", pytest.fail)
    for number, path in ((1, "docs/a.md"), (2, "src/a.py")):
        listen(events.AttemptStarted(number, 2, "go"))
        listen(events.AgentFinished(AgentResult(AgentOutcome.COMPLETED, "done")))
        listen(events.DiffTaken(Diff((FileChange(path, "M", 1, 1),), Path("patch"))))
    assert history.kept == {(1, always): "file", (2, always): "file", (2, scoped): "file"}


def test_a_process_that_goes_on_after_the_agent_knows_the_attempt_by_its_event(
    project: Path, tmp_path: Path, history: Remembering
) -> None:
    book, always, _ = learn(project, tmp_path, history)
    transcript = tmp_path / "id.jsonl"
    files = [{"path": "/p", "content": (project / ".claude/rules/learned.md").read_text("utf-8")}]
    row = {"attachment": {"type": "instructions", "files": files}}
    transcript.write_text(json.dumps(row), encoding="utf-8")
    assert read_instructions(transcript)
    listen = build_outcomes_listener(history, book, "run-1", pytest.fail)
    done = AgentResult(AgentOutcome.COMPLETED, "done", transcript=transcript)
    listen(events.AgentFinished(done, attempt=3))
    assert history.kept[3, always] == "transcript"
