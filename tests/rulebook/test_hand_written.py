"""What people write under the heading stays theirs, byte for byte, until they adopt it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import RulebookError, UsageError
from orchestrator.models import ChangeKind
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.rulebook.lesson_editing import apply_lesson
from orchestrator.rulebook.records import RuleEventKind, Status
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rule_files import RuleFiles
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.rulebook import MarkdownRulebook, RulebookPolicy
from teacher.models import RuleText
from tests.open_history import OpenHistory
from tests.rulebook.making import (
    FAILURE,
    LISTS,
    NONE,
    TODAY,
    add,
    amend,
    is_one_insertion,
    markdown_files,
    reinforce,
)

_BY_HAND = (
    b"- **Rule**: Never x",
    b"- **Rule**: Never x\n- **When**: often\n",
    b"* **Rule:** Never z\n\n  in two paragraphs",
    b"1. **Rule**: One\r\n2. **Rule**: Two",
    b"Some prose, and\n- **Rule**: caf\xe9",
)
_files = st.builds(
    lambda before, parts, after: (
        before + b"\n\n## Learned Rules & Patterns\n\n" + b"\n".join(parts) + b"\n" + after
    ),
    markdown_files,
    st.lists(st.sampled_from(_BY_HAND), min_size=1, max_size=4),
    markdown_files,
)
_OTHER = RuleText("Use Decimal for money", "Adding prices", "Floats lose cents")


@given(_files)
def test_whatever_we_write_every_other_byte_stays(data: bytes) -> None:
    file_set = RuleFileSet({CLAUDE_MD: data})
    texts = [rule.text for rule in file_set.hand_written]
    learned: list[str] = []

    def check(after: RuleFileSet) -> RuleFileSet:
        now = after.files[CLAUDE_MD]
        assert now == data or is_one_insertion(data, now)
        assert [rule.text for rule in after.hand_written] == texts
        return after

    try:
        for text in (NONE, LISTS):
            outcome = apply_lesson(file_set, add(text), FAILURE, today=TODAY, run="run-1")
            assert outcome.rule is not None
            learned.append(outcome.rule.id)
            file_set = check(outcome.file_set)
    except RulebookError:
        return  # an open fence, or the like: nothing is written
    for lesson in (amend(learned[-1], _OTHER), reinforce(learned[-1])):
        file_set = check(apply_lesson(file_set, lesson, FAILURE, today=TODAY).file_set)
    for rule in learned:
        file_set = check(file_set.remove_rule(rule))


@given(_files)
def test_adopting_a_rule_adds_its_comment_and_nothing_else(data: bytes) -> None:
    file_set = RuleFileSet({CLAUDE_MD: data})
    for rule in file_set.hand_written:
        try:
            after = file_set.adopt_rule(rule.id)
        except RulebookError:
            continue
        assert is_one_insertion(data, after.files[CLAUDE_MD])
        assert after.find_rule(rule.id) == rule
        assert {*after.all_rules} == {*file_set.all_rules}


# ---- with a history

_FILE = b"# Mine\n\n## Learned Rules & Patterns\n\n- **Rule**: Never sort a list in place\n\nEnd.\n"


class Desk:
    """A project whose CLAUDE.md a person writes into."""

    def __init__(self, project: Path, state: Path) -> None:
        self.file = project / CLAUDE_MD
        self.file.write_bytes(_FILE)
        self.history = OpenHistory(state, self.file.resolve())
        self.book = MarkdownRulebook(
            RuleFiles(project),
            state / "locks",
            run="run-1",
            policy=RulebookPolicy(self.history, max_rules=2),
        )

    @property
    def manager(self) -> RuleManager:
        return RuleManager(self.book, self.history)

    @property
    def by_hand(self) -> str:
        (rule,) = self.book.list_hand_written()
        return rule.id


@pytest.fixture
def desk(project: Path, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(project, tmp_path / "state")
    yield made
    made.history.close()


def test_it_is_not_active_and_has_no_history(desk: Desk) -> None:
    assert desk.book.list_rules() == ()
    assert desk.manager.list_records() == []
    assert desk.file.read_bytes() == _FILE


def test_a_person_and_a_run_write_around_it(desk: Desk) -> None:
    rule = desk.manager.add_rule(_OTHER).record.rule.id
    desk.book.apply(add(NONE), FAILURE)
    desk.manager.edit_rule(rule, RuleText("", "Adding any prices", ""))
    desk.manager.retire_rule(rule)
    desk.manager.restore_rule(rule)
    assert is_one_insertion(_FILE, desk.file.read_bytes())
    # The two rules that there is room for are ours: it neither counts nor leaves.
    desk.book.apply(add(RuleText("Never use eval", "Parsing", "It runs code")), FAILURE)
    assert is_one_insertion(_FILE, desk.file.read_bytes())
    assert len(desk.book.list_rules()) == 2


def test_the_teacher_knows_it_and_a_lesson_does_not_repeat_it(desk: Desk) -> None:
    (known,) = desk.book.known_rules()
    assert (known.id, known.note) == (desk.by_hand, "written by a person, who alone may change it")
    change = desk.book.apply(add(LISTS), FAILURE)
    assert change is not None
    assert change.change is ChangeKind.ALREADY_KNOWN
    assert desk.book.apply(reinforce(desk.by_hand), FAILURE) is None
    assert desk.file.read_bytes() == _FILE


def test_what_contradicts_it_is_a_persons_to_decide(desk: Desk) -> None:
    text = replace(LISTS, rule="Always sort a list in place")
    change = desk.book.apply(add(text), FAILURE)
    assert change is not None
    assert change.change is ChangeKind.CONTRADICTION
    adopt = f"orchestrator rules adopt {desk.by_hand}"
    with pytest.raises(UsageError, match=adopt):
        desk.manager.approve_rule(change.rule.id)
    with pytest.raises(UsageError, match=adopt):
        desk.manager.add_rule(text)
    assert desk.file.read_bytes() == _FILE


def test_it_becomes_one_of_ours_when_a_person_says_so(desk: Desk) -> None:
    identity = desk.by_hand
    with pytest.raises(UsageError, match=f"adopt it: orchestrator rules adopt {identity}"):
        desk.manager.retire_rule(identity[:5])
    done = desk.manager.adopt_rule(identity[:5])
    assert (done.record.rule.id, done.record.status) == (identity, Status.ACTIVE)
    comment = f"<!-- rule {identity} -->\n".encode()
    assert desk.file.read_bytes() == _FILE.replace(b"- **Rule**", comment + b"- **Rule**")
    (event,) = desk.manager.list_events(identity)
    assert event.what == RuleEventKind.ADOPTED
    with pytest.raises(UsageError, match="is not written by hand: it is active"):
        desk.manager.adopt_rule(identity)
    desk.manager.retire_rule(identity)
    assert b"Never sort" not in desk.file.read_bytes()


def test_a_rule_that_lost_its_comment_is_a_persons_and_not_refused(desk: Desk) -> None:
    identity = desk.manager.adopt_rule(desk.by_hand).record.rule.id
    desk.file.write_bytes(_FILE)
    assert desk.manager.resolve_record(identity).status is Status.ARCHIVED
    assert desk.history.list_refusals() == []
    assert desk.manager.adopt_rule(identity).record.status is Status.ACTIVE
