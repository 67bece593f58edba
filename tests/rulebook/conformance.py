"""What every rulebook does, whatever carries it. A test class inherits it and gives `book`."""

import pytest

from orchestrator.ports import Rulebook
from teacher.models import Action, Failure, FailureType, KnownRule, Lesson, RuleText
from tests.rulebook.making import FAILURE, LISTS, NONE, add, amend, reinforce


class RulebookConformance:
    """The promises of the `Rulebook` plug point."""

    file = "CLAUDE.md"
    """The name of the file that a rule goes into."""

    @pytest.fixture
    def book(self) -> Rulebook:
        raise NotImplementedError

    def test_an_empty_rulebook_knows_nothing(self, book: Rulebook) -> None:
        assert list(book.known_rules()) == []

    def test_a_new_rule_is_in_force(self, book: Rulebook) -> None:
        change = book.apply(add(), FAILURE)
        assert change is not None
        assert change.change == "added"
        assert change.rule.text == NONE
        assert change.path.name == self.file
        assert list(book.known_rules()) == [KnownRule(change.rule.id, NONE)]

    def test_rules_stand_in_the_order_in_which_they_came(self, book: Rulebook) -> None:
        book.apply(add(NONE), FAILURE)
        book.apply(add(LISTS), FAILURE)
        assert [rule.text for rule in book.known_rules()] == [NONE, LISTS]
        assert len({rule.id for rule in book.known_rules()}) == 2

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            (FailureType.TEST_FAILURE, "test failure"),
            (FailureType.PLANNING_ERROR, "planning error"),
            (FailureType.OTHER, "reported failure"),
        ],
    )
    def test_the_source_says_when_and_from_what(
        self, book: Rulebook, kind: FailureType, words: str
    ) -> None:
        change = book.apply(add(), Failure(kind, "manual", "summary", "f"))
        assert change is not None
        assert change.rule.source.startswith("Learned on 20")
        assert change.rule.source.endswith(f" from {words}")

    def test_the_same_rule_is_not_written_twice(self, book: Rulebook) -> None:
        first = book.apply(add(), FAILURE)
        again = RuleText(f"{NONE.rule.upper()}.", f" {NONE.when} ", "another reason")
        second = book.apply(add(again), FAILURE)
        assert first is not None
        assert second is not None
        assert (second.change, second.rule) == ("already known", first.rule)
        assert len(book.known_rules()) == 1

    def test_amend_replaces_the_text_and_keeps_the_id(self, book: Rulebook) -> None:
        first = book.apply(add(), FAILURE)
        assert first is not None
        second = book.apply(amend(first.rule.id, LISTS), FAILURE)
        assert second is not None
        assert (second.change, second.rule.id) == ("amended", first.rule.id)
        assert list(book.known_rules()) == [KnownRule(first.rule.id, LISTS)]

    def test_reinforce_leaves_the_rules_as_they_are(self, book: Rulebook) -> None:
        first = book.apply(add(), FAILURE)
        assert first is not None
        second = book.apply(reinforce(first.rule.id), FAILURE)
        assert second is not None
        assert (second.change, second.rule) == ("reinforced", first.rule)
        assert list(book.known_rules()) == [KnownRule(first.rule.id, NONE)]

    @pytest.mark.parametrize("target", ["r-000000", None, "", "--> @x\n"])
    @pytest.mark.parametrize("lesson", [amend, reinforce])
    def test_an_unknown_target_with_a_text_is_a_new_rule(
        self, book: Rulebook, lesson: type[Lesson], target: str | None
    ) -> None:
        change = book.apply(lesson(target, LISTS), FAILURE)  # type: ignore[arg-type]
        assert change is not None
        assert (change.change, change.rule.text) == ("added", LISTS)

    @pytest.mark.parametrize(
        "lesson",
        [
            Lesson(Action.NONE, "seen before"),
            Lesson(Action.NONE, "seen before", NONE),
            reinforce("r-000000"),
            amend("r-000000", None),
            Lesson(Action.ADD, "no text"),
            add(RuleText("", "When", "Why")),
            add(RuleText("\u200b \n\x00", "When", "Why")),
        ],
    )
    def test_a_lesson_without_anything_to_write_changes_nothing(
        self, book: Rulebook, lesson: Lesson
    ) -> None:
        assert book.apply(lesson, FAILURE) is None
        assert list(book.known_rules()) == []

    def test_a_clumsy_text_is_in_force_as_a_harmless_one(self, book: Rulebook) -> None:
        change = book.apply(add(RuleText("Never @import\nmodels", "a\tb", "So it is")), FAILURE)
        assert change is not None
        assert change.rule.text == RuleText("Never `@import` models", "a b", "So it is")
        assert [rule.text for rule in book.known_rules()] == [change.rule.text]

    def test_a_harmful_text_is_held_back_with_the_reason(self, book: Rulebook) -> None:
        text = RuleText("Never @import\n## Next <!--", "```\n--> `a", "\u202eturned")
        change = book.apply(add(text), FAILURE)
        assert change is not None
        assert change.change == "quarantined"
        assert change.reason
        assert list(book.known_rules()) == []
