"""CLAUDE.md and AGENTS.md say the same rules, whichever of them people edit."""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.models import Rule
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.document import parse_document
from orchestrator.rulebook.editing import append_rule, remove_rule
from orchestrator.rulebook.mirroring import find_shared_ids, merge_mirrors
from orchestrator.rulebook.records import Status
from orchestrator.rulebook.rule_file_set import Destination, RuleFileSet
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import FAILURE, LISTS, NONE, TODAY, add, amend, reinforce
from tests.rulebook.writers import die_at, fork, reap

MONEY = RuleText("Use Decimal for money", "Adding prices", "Floats lose cents")
OWN = "# Project\n\nUse tabs.\n"


class Twins:
    """A project whose two files are mirrored."""

    def __init__(self, project: Path, state: Path) -> None:
        self.project = project
        self.claude, self.agents = project / CLAUDE_MD, project / AGENTS_MD
        self.history = OpenHistory(state, self.claude)
        self._locks = state / "locks"

    @property
    def book(self) -> MarkdownRulebook:
        shelf = RuleFiles(self.project, mirror=True)
        policy = RulebookPolicy(self.history, max_rules=5)
        return MarkdownRulebook(shelf, self._locks, today=lambda: TODAY, policy=policy)

    def learn(self, text: RuleText) -> str:
        change = self.book.apply(add(text), FAILURE)
        assert change is not None
        return change.rule.id

    @property
    def said(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """The rules of the two files."""
        return _said(self.claude), _said(self.agents)

    def edit(self, path: Path, old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


def _said(path: Path) -> list[tuple[str, str]]:
    data = path.read_bytes() if path.exists() else b""
    return [(rule.id, rule.text.rule) for rule in parse_document(data).rules]


@pytest.fixture
def twins(project: Path, tmp_path: Path) -> Iterator[Twins]:
    (project / CLAUDE_MD).write_text(OWN, encoding="utf-8")
    made = Twins(project, tmp_path / "state")
    yield made
    made.history.close()


def test_a_rule_goes_into_both(twins: Twins) -> None:
    rule = twins.learn(NONE)
    assert twins.said == ([(rule, NONE.rule)], [(rule, NONE.rule)])
    twins.book.apply(amend(rule, MONEY), FAILURE)
    twins.book.apply(reinforce(rule), FAILURE)
    assert twins.said == ([(rule, MONEY.rule)], [(rule, MONEY.rule)])
    twins.book.remove_rule(rule)
    assert twins.said == ([], [])
    assert twins.claude.read_text("utf-8").startswith(OWN)


def test_what_stood_in_one_before_comes_into_the_other(twins: Twins) -> None:
    alone = MarkdownRulebook(twins.project, twins.project.parent / "locks")
    change = alone.apply(add(NONE), FAILURE)
    assert change is not None
    twins.agents.write_text(
        "Say please.\n\n## Learned Rules & Patterns\n\n<!-- rule r-1 -->\n- **Rule**: Never x\n",
        "utf-8",
    )
    twins.book.list_rules()
    claude, agents = twins.said
    assert sorted(claude) == sorted(agents)
    assert {text for _, text in claude} == {NONE.rule, "Never x"}
    assert twins.agents.read_text("utf-8").startswith("Say please.\n")


@pytest.mark.parametrize("edited", [CLAUDE_MD, AGENTS_MD])
def test_what_people_do_to_one_is_done_to_the_other(twins: Twins, edited: str) -> None:
    first, second = twins.learn(NONE), twins.learn(LISTS)
    path = twins.project / edited
    twins.edit(path, NONE.rule, "Never return zero")
    path.write_bytes(remove_rule(path.read_bytes(), second))
    text = path.read_text("utf-8")
    path.write_text(f"{text}\n<!-- rule r-1 -->\n- **Rule**: Never use eval\n", encoding="utf-8")
    rules = twins.book.list_rules()
    assert [rule.text.rule for rule in rules] == ["Never return zero", "Never use eval"]
    claude, agents = twins.said
    assert claude == agents
    assert twins.history.resolve_record(first).status is Status.ACTIVE
    assert [e.what for e in twins.history.list_events(first)] == ["added", "edited by hand"]
    assert twins.history.resolve_record(second).status is Status.ARCHIVED


def test_a_deletion_counts_whatever_else_was_done_to_the_other_file(twins: Twins) -> None:
    first, second = twins.learn(NONE), twins.learn(LISTS)
    twins.claude.write_bytes(remove_rule(twins.claude.read_bytes(), first))
    with twins.agents.open("a", encoding="utf-8") as file:
        file.write("<!-- rule r-1 -->\n- **Rule**: Greet owls\n")
    twins.edit(twins.agents, LISTS.rule, "Never sort any list in place")
    rules = [rule.text.rule for rule in twins.book.list_rules()]
    assert rules == ["Never sort any list in place", "Greet owls"]
    assert twins.said[0] == twins.said[1]
    assert twins.history.resolve_record(first).status is Status.ARCHIVED
    assert twins.history.resolve_record(second).status is Status.ACTIVE


def test_of_two_edits_that_of_claude_md_counts(twins: Twins) -> None:
    rule = twins.learn(NONE)
    twins.edit(twins.claude, NONE.rule, "Never return zero")
    twins.edit(twins.agents, NONE.rule, "Always return zero")
    twins.book.list_rules()
    assert twins.said == ([(rule, "Never return zero")], [(rule, "Never return zero")])


def test_a_file_that_is_gone_comes_back_with_the_rules(twins: Twins) -> None:
    rule = twins.learn(NONE)
    for lost in (twins.agents.unlink, lambda: twins.claude.write_text(OWN, encoding="utf-8")):
        lost()
        twins.book.list_rules()
        assert twins.said == ([(rule, NONE.rule)], [(rule, NONE.rule)])
    assert twins.history.resolve_record(rule).status is Status.ACTIVE


def test_a_project_with_agents_md_alone_gets_a_pointer_and_no_rule_twice(
    project: Path, tmp_path: Path
) -> None:
    (project / AGENTS_MD).write_text("Say please.\n", encoding="utf-8")
    twins = Twins(project, tmp_path / "state")
    rule = twins.learn(NONE)
    assert twins.claude.read_text("utf-8") == "@AGENTS.md\n"
    assert twins.said == ([], [(rule, NONE.rule)])
    twins.edit(twins.claude, "@AGENTS.md\n", "Use tabs.\n")
    twins.book.list_rules()
    assert twins.said == ([(rule, NONE.rule)], [(rule, NONE.rule)])
    twins.claude.write_text("@AGENTS.md\n" + twins.claude.read_text("utf-8"), encoding="utf-8")
    twins.book.list_rules()
    assert twins.said == ([], [(rule, NONE.rule)])
    assert twins.history.resolve_record(rule).status is Status.ACTIVE
    twins.history.close()


def test_another_branch_where_the_files_differ_deletes_nothing(twins: Twins) -> None:
    first = "## Learned Rules & Patterns\n\n<!-- rule r-1 -->\n- **Rule**: Never use eval\n"
    second = "## Learned Rules & Patterns\n\n<!-- rule r-2 -->\n- **Rule**: Sort imports\n"
    for _ in range(2):  # the branch before the files were mirrored is checked out again
        twins.claude.write_text(f"{OWN}\n{first}", encoding="utf-8")
        twins.agents.write_text(f"Say please.\n\n{second}", encoding="utf-8")
        twins.book.list_rules()
        claude, agents = twins.said
        assert sorted(claude) == sorted(agents)
        assert {text for _, text in claude} == {"Never use eval", "Sort imports"}
    assert {record.status for record in twins.history.list_records()} == {Status.ACTIVE}


def test_a_fence_that_shows_the_import_imports_nothing(twins: Twins) -> None:
    rule = twins.learn(NONE)
    text = twins.claude.read_text("utf-8")
    twins.claude.write_text(f"Write:\n\n```\n@AGENTS.md\n```\n\n{text}", encoding="utf-8")
    twins.book.list_rules()
    assert twins.said == ([(rule, NONE.rule)], [(rule, NONE.rule)])


def test_a_rule_that_reached_one_file_is_added_to_the_other_alone(twins: Twins) -> None:
    twins.learn(NONE)
    pages = RuleFiles(twins.project, mirror=True).read().file_set
    rule = Rule("r-111111", LISTS, "Added by hand")
    half = pages.add_rule_to(CLAUDE_MD, rule, "")
    whole = half.add_rule(rule, "")  # as when AGENTS.md changed while it was written
    assert whole.files[CLAUDE_MD] == half.files[CLAUDE_MD]
    assert [known.id for known in whole.list_rules_in(AGENTS_MD)][1:] == [rule.id]


# ---- killed between the two files


@pytest.mark.whole
def test_a_writer_killed_at_any_line_loses_no_rule(twins: Twins) -> None:
    kept, line, killed = [twins.learn(NONE)], 0, True
    while killed:
        line += 3

        def work(line: int = line) -> None:
            sys.settrace(die_at(line))
            twins.book.apply(add(RuleText(f"Never do {line}", "Always", "So")), FAILURE)

        killed = reap(fork(work))
        twins.book.list_rules()
        claude, agents = twins.said
        assert claude == agents
        assert set(kept) <= {rule for rule, _ in claude}
        assert twins.claude.read_text("utf-8").startswith(OWN)
        for rule, text in claude:
            if text.startswith("Never do"):
                twins.book.remove_rule(rule)
    assert line > 30
    assert sorted(path.name for path in twins.project.iterdir()) == [AGENTS_MD, CLAUDE_MD]


# ---- any history of edits


_IDS = ("r-000001", "r-000002", "r-000003")
_TEXTS = ("Never a", "Never b", "Never c")
_sides = st.dictionaries(st.sampled_from(_IDS), st.sampled_from(_TEXTS))


def _file(start: str, rules: dict[str, str]) -> bytes:
    data = start.encode()
    for rule, text in rules.items():
        data = append_rule(data, Rule(rule, RuleText(text, "", ""), "by hand"), "")
    return data


@settings(deadline=None)
@given(
    st.sampled_from([OWN, f"@AGENTS.md\n\n{OWN}", f"```\n@AGENTS.md\n```\n\n{OWN}", ""]),
    _sides,
    _sides,
    st.one_of(_sides, st.sampled_from([CLAUDE_MD, AGENTS_MD])),
)
def test_after_it_both_say_the_same_and_again_changes_nothing(
    start: str, claude: dict[str, str], agents: dict[str, str], then: dict[str, str] | str
) -> None:
    # What both said then is anything, or what one of them says still.
    now_as_then = {CLAUDE_MD: claude, AGENTS_MD: agents}
    agreed = now_as_then[then] if isinstance(then, str) else then
    pages = RuleFileSet(
        {CLAUDE_MD: _file(start, claude), AGENTS_MD: _file("Ours.\n", agents)},
        Destination(mirror=True),
    )
    texts = {rule: RuleText(text, "", "") for rule, text in agreed.items()}
    done = merge_mirrors(pages, texts, date(2026, 11, 20))
    said = [{rule.id: rule.text for rule in done.list_rules_in(name)} for name in done.mirrors]
    assert all(each == said[0] for each in said)
    known = {rule.id: rule.text for rule in done.rules}
    assert known == said[0]
    # Nothing that only one of them has is lost, unless the other had it, too, before, and one of
    # them has all that both had then.
    one_has_all = any(agreed.keys() <= side.keys() for side in (claude, agents))
    deletes = one_has_all and claude and agents and len(pages.mirrors) == 2
    for rule in claude.keys() | agents.keys():
        both = rule in claude and rule in agents
        assert (rule in known) is (both or rule not in agreed or not deletes)
    now = {rule: known[rule] for rule in find_shared_ids(done)}
    assert merge_mirrors(done, now, date(2026, 11, 21)).files == done.files
    assert done.files[AGENTS_MD].startswith(b"Ours.\n")
