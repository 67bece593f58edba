"""A new rule against the rules in force: known, contradicting, turned down, too much."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.models import ChangeKind, Rule
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.rulebook.document import parse_document
from orchestrator.rulebook.editing import append_rule, remove_rule
from orchestrator.rulebook.lesson_editing import Outcome, apply_lesson
from orchestrator.rulebook.preflight import (
    PreflightContext,
    choose_evictions,
    count_tokens,
    find_conflict,
    fingerprint_text,
)
from orchestrator.rulebook.rule_file_set import RuleFileSet
from teacher.models import RuleText
from tests.rulebook.making import FAILURE, LISTS, NONE, TODAY, add, amend, markdown_files

OPPOSITE = replace(NONE, rule="Always return 0 for a missing result")
MONEY = RuleText("Use Decimal for money", "Adding prices", "Floats lose cents")


def pages(data: bytes) -> RuleFileSet:
    return RuleFileSet({CLAUDE_MD: data})


def take(data: bytes, text: RuleText, context: PreflightContext | None = None) -> Outcome:
    return apply_lesson(
        pages(data), add(text), FAILURE, today=TODAY, context=context or PreflightContext()
    )


def written(outcome: Outcome) -> bytes:
    return outcome.file_set.files[CLAUDE_MD]


def book(*texts: RuleText) -> bytes:
    data = b"# Project\n"
    for text in texts:
        data = written(take(data, text))
    return data


def test_a_duplicate_reinforces_the_rule_that_is_there() -> None:
    data = book(NONE)
    again = replace(NONE, rule="Do not return 0 for a missing result, return None instead")
    outcome = take(data, again)
    assert outcome.change == "reinforced"
    assert outcome.rule == parse_document(data).rules[0]
    assert b"reinforced 1 (2026-11-20)" in written(outcome)
    assert len(parse_document(written(outcome)).rules) == 1


def test_a_contradiction_is_held_back_with_both_texts() -> None:
    data = book(NONE, LISTS)
    outcome = take(data, OPPOSITE)
    assert outcome.change == "contradiction"
    assert written(outcome) == data
    assert outcome.rule is not None
    assert outcome.rule.text == OPPOSITE
    assert NONE.rule in outcome.reason


def test_an_amendment_may_turn_its_own_rule_but_no_other() -> None:
    data = book(NONE, LISTS)
    none, lists = parse_document(data).rules

    def amended(rule: Rule) -> Outcome:
        lesson = amend(rule.id, OPPOSITE)
        return apply_lesson(pages(data), lesson, FAILURE, today=TODAY, context=PreflightContext())

    own = amended(none)
    assert own.change == "amended"
    other = amended(lists)
    assert (other.change, written(other)) == ("contradiction", data)


def test_what_was_turned_down_stays_out() -> None:
    refused = Rule(
        "r-111111", replace(NONE, rule="Don't return 0 for missing results; return None")
    )
    outcome = take(b"", NONE, PreflightContext(refused_rules=(refused,)))
    assert (outcome.rule, written(outcome)) == (None, b"")
    assert "rejected before, as r-111111" in outcome.reason


def test_over_budget_the_least_valuable_leaves() -> None:
    data = book(NONE, LISTS)
    none, lists = parse_document(data).rules
    outcome = take(data, MONEY, PreflightContext(max_rules=2, worth={none.id: 3.0, lists.id: 1.0}))
    assert [rule.text for rule in outcome.leaving] == [LISTS]
    assert [rule.text for rule in parse_document(written(outcome)).rules] == [NONE, MONEY]


def test_the_newest_never_leaves_and_tokens_count() -> None:
    data = book(NONE, LISTS)
    outcome = take(data, MONEY, PreflightContext(max_tokens=45))
    assert [rule.text for rule in outcome.leaving] == [NONE, LISTS]
    assert [rule.text for rule in parse_document(written(outcome)).rules] == [MONEY]
    rules = parse_document(data).rules
    assert (
        choose_evictions(rules, "", PreflightContext(max_tokens=sum(map(count_tokens, rules))))
        == ()
    )


def test_without_a_history_nothing_is_held_back() -> None:
    outcome = apply_lesson(pages(book(NONE)), add(OPPOSITE), FAILURE, today=TODAY)
    assert outcome.change == "added"


def test_the_fingerprint_goes_by_the_words() -> None:
    loud = replace(NONE, rule=NONE.rule.upper() + ".", why="other")
    assert fingerprint_text(loud) == fingerprint_text(NONE) != fingerprint_text(LISTS)


@given(markdown_files)
@settings(max_examples=60, deadline=None)
def test_removing_what_was_appended_leaves_the_rules_that_were_there(data: bytes) -> None:
    from orchestrator.errors import RulebookError

    rule = Rule("r-abcdef", MONEY, "Learned on 2026-11-20 from test failure")
    try:
        written = append_rule(data, rule, "")
    except RulebookError:
        return
    if parse_document(data).find_rule(rule.id):
        return
    assert parse_document(remove_rule(written, rule.id)).rules == parse_document(data).rules


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n## Next\n\ntext\n"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_removing_restores_every_byte(end: bytes, newline: bytes) -> None:
    data = (book(NONE)[:-1] + end).replace(b"\n", newline)
    added = take(data, MONEY)
    assert added.rule is not None
    assert remove_rule(written(added), added.rule.id) == data


def _leaving_plainly(
    rules: Sequence[Rule], newest: str, context: PreflightContext
) -> tuple[Rule, ...]:
    """Say the same by counting all rules again for each of them."""

    def fits(some: Sequence[Rule], *, tokens_too: bool) -> bool:
        many = context.max_rules is not None and len(some) > context.max_rules
        always = sum(count_tokens(rule) for rule in some if not rule.paths)
        long = context.max_tokens is not None and always > context.max_tokens
        return not many and not (tokens_too and long)

    staying = list(rules)
    candidates = sorted(
        (rule for rule in rules if rule.id != newest),
        key=lambda rule: context.worth.get(rule.id, 0.0),
    )
    for rule in candidates:
        if not fits(staying, tokens_too=not rule.paths):
            staying.remove(rule)
    for rule in reversed(candidates):
        if rule not in staying and fits([*staying, rule], tokens_too=True):
            staying.append(rule)
    return tuple(rule for rule in candidates if rule not in staying)


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.booleans(), st.integers(0, 3)), min_size=1, max_size=8
    ),
    st.one_of(st.none(), st.integers(1, 6)),
    st.one_of(st.none(), st.integers(20, 300)),
)
def test_who_leaves_is_counted_in_one_pass(
    made: list[tuple[int, bool, int]], most: int | None, longest: int | None
) -> None:
    rules = [
        Rule(f"r-{n}", RuleText("x" * size, "", ""), "", ("src/**",) if scoped else ())
        for n, (size, scoped, _) in enumerate(made)
    ]
    worth = {f"r-{n}": float(value) for n, (_, _, value) in enumerate(made)}
    context = PreflightContext(max_rules=most, max_tokens=longest, worth=worth)
    newest = rules[-1].id
    assert choose_evictions(rules, newest, context) == _leaving_plainly(rules, newest, context)


def test_nobody_leaves_in_vain() -> None:
    small = [Rule(f"r-{n}", RuleText(f"Say {n}", "", "")) for n in (1, 2)]
    long, new = Rule("r-3", RuleText("x" * 400, "", "")), Rule("r-4", MONEY)
    fits = sum(map(count_tokens, (*small, new)))
    worth = {"r-1": 1.0, "r-2": 2.0, "r-3": 3.0}
    context = PreflightContext(max_tokens=fits, worth=worth)
    assert choose_evictions((*small, long, new), "r-4", context) == (long,)


def test_a_book_in_one_bullet_is_weighed_to_its_end() -> None:
    bullet = Rule("r-1", RuleText("keep " * 40_000, "", ""))
    assert find_conflict(MONEY, [bullet], PreflightContext()) is None
    assert find_conflict(bullet.text, [Rule("r-2", MONEY)], PreflightContext()) is None


def test_a_rule_that_would_not_fit_even_alone_is_held_back() -> None:
    outcome = take(book(NONE, LISTS), MONEY, PreflightContext(max_tokens=10))
    assert (outcome.change, outcome.leaving) == ("waits for approval", ())
    assert "exceeds rules.max_tokens (10)" in outcome.reason


def test_an_amendment_that_would_not_fit_even_alone_is_held_back() -> None:
    data = book(NONE, LISTS)
    rule = parse_document(data).rules[0].id
    lesson = amend(rule, replace(NONE, why="x" * 400))
    outcome = apply_lesson(
        pages(data), lesson, FAILURE, today=TODAY, context=PreflightContext(max_tokens=100)
    )
    assert (outcome.change, outcome.target) == ("waits for approval", rule)
    assert (outcome.leaving, written(outcome)) == ((), data)


def test_a_rule_for_some_files_makes_no_room_for_tokens() -> None:
    scoped = Rule("r-1", LISTS, "", ("src/**",))
    long = Rule("r-2", NONE)
    new = Rule("r-3", MONEY)
    assert choose_evictions(
        (scoped, long, new), "r-3", PreflightContext(max_tokens=count_tokens(new))
    ) == (long,)
    assert choose_evictions((scoped, long, new), "r-3", PreflightContext(max_rules=2)) == (scoped,)


def test_an_amendment_that_says_what_another_rule_says_reinforces_that() -> None:
    data = book(NONE, LISTS)
    none, lists = parse_document(data).rules
    lesson = amend(lists.id, NONE)
    outcome = apply_lesson(pages(data), lesson, FAILURE, today=TODAY, context=PreflightContext())
    assert (outcome.change, outcome.rule) == ("reinforced", none)
    assert [rule.text for rule in parse_document(written(outcome)).rules] == [NONE, LISTS]


def test_an_amendment_to_what_was_turned_down_stays_out() -> None:
    data = book(NONE, LISTS)
    _, lists = parse_document(data).rules
    context = PreflightContext(refused_rules=(Rule("r-111111", MONEY),))
    outcome = apply_lesson(
        pages(data), amend(lists.id, MONEY), FAILURE, today=TODAY, context=context
    )
    assert (outcome.rule, written(outcome)) == (None, data)


def test_an_id_belongs_to_one_text() -> None:
    (mine,) = parse_document(book(NONE)).rules
    context = PreflightContext(fingerprints={mine.id: fingerprint_text(LISTS)})
    outcome = take(b"", NONE, context)
    assert outcome.rule is not None
    assert outcome.rule.id != mine.id
    again = take(b"", NONE, PreflightContext(fingerprints={mine.id: fingerprint_text(NONE)}))
    assert again.rule is not None
    assert again.rule.id == mine.id


def test_a_scope_that_the_file_cannot_express_does_not_hide_how_long_a_rule_is() -> None:
    # In CLAUDE.md every rule is loaded, whatever files the teacher meant it for.
    lesson = replace(add(LISTS), paths=("src/api/**",))
    file_set = RuleFileSet({CLAUDE_MD: b""})
    outcome = apply_lesson(
        file_set, lesson, FAILURE, today=TODAY, context=PreflightContext(max_tokens=5)
    )
    assert outcome.change is ChangeKind.WAITS_FOR_APPROVAL
    assert outcome.file_set == file_set
