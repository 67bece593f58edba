import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting.findings import (
    MOST_EVIDENCE,
    THRESHOLDS,
    Remedy,
    SessionFinding,
    StoredOccurrence,
    find_findings,
)
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.detectors.procedures import LENGTH, SEPARATOR
from tests.sessions.hand_made import stamp

SEEN = {"/p": 41}


def occur(
    detector: Detector, session: str, key: str = "k", seconds: int = 0, **detail: Any
) -> StoredOccurrence:
    quote = detail.pop("quote", "")
    row = f"{session}-{key}-{seconds}"
    return StoredOccurrence(detector, key, "/p", session, row, stamp(seconds), quote, "", detail)


def repeat(detector: Detector, counts: Sequence[int], key: str = "k") -> list[StoredOccurrence]:
    """Return so many occurrences in each of several sessions."""
    return [
        occur(detector, f"s{number}", key, 100 * number + step)
        for number, count in enumerate(counts)
        for step in range(count)
    ]


@pytest.mark.parametrize(("origin", "remedy"), [("code", Remedy.NONE), ("project", Remedy.RULE)])
def test_code_that_does_not_compile_yet_is_only_noted(origin: str, remedy: Remedy) -> None:
    found = [
        occur(Detector.REPEATED_ERROR, f"s{number}", "k", number, origin=origin)
        for number in range(4)
    ]
    (finding,) = find_findings(found, {"/p": 4})
    assert (finding.remedy, len(finding.sessions)) == (remedy, 4)


def find_remedies(detector: Detector, *counts: int) -> list[Remedy]:
    return [each.remedy for each in find_findings(repeat(detector, counts), SEEN)]


def test_every_detector_has_a_threshold() -> None:
    assert set(THRESHOLDS) == set(Detector)


@pytest.mark.parametrize(
    ("detector", "enough", "too_few", "remedy"),
    [
        (Detector.REPEATED_ERROR, (2, 1), (1, 1), Remedy.RULE),
        (Detector.REPEATED_ERROR, (1, 1, 1), (9,), Remedy.RULE),
        (Detector.SAME_COMMAND, (3, 3), (2, 2, 2), Remedy.RULE),
        (Detector.HIDDEN_FAILURE, (1, 1), (5,), Remedy.RULE),
        (Detector.EDIT_MISMATCH, (3, 4), (3, 2, 2), Remedy.RULE),
        (Detector.PERMISSION, (2, 1), (1, 1), Remedy.PERMISSION),
        (Detector.PERMISSION, (1, 1, 1), (9,), Remedy.PERMISSION),
    ],
)
def test_sessions_decide_and_not_occurrences(
    detector: Detector, enough: Sequence[int], too_few: Sequence[int], remedy: Remedy
) -> None:
    assert find_remedies(detector, *enough) == [remedy]
    assert find_remedies(detector, *too_few) == []


def test_a_command_that_fails_again_in_one_session_is_a_note() -> None:
    assert find_remedies(Detector.SAME_COMMAND, 3) == [Remedy.NONE]


@pytest.mark.parametrize(
    "detector",
    [Detector.INTERRUPTION, Detector.CACHE_MISS, Detector.REDUNDANT_READ, Detector.TOKEN_WASTE],
)
def test_some_are_only_counted(detector: Detector) -> None:
    assert find_remedies(detector, 9, 9, 9) == [Remedy.NONE]


@pytest.mark.parametrize("detector", [Detector.REJECTION, Detector.CORRECTION])
def test_one_clear_word_is_a_candidate_behind_what_recurs(detector: Detector) -> None:
    said = occur(detector, "s9", "use pnpm", 9_000, quote="use pnpm", intent="instruction")
    found = find_findings([said, *repeat(Detector.HIDDEN_FAILURE, (1, 1))], SEEN)
    assert [(each.detector, each.remedy) for each in found] == [
        (Detector.HIDDEN_FAILURE, Remedy.RULE),
        (detector, Remedy.RULE),
    ]


@pytest.mark.parametrize("intent", ["question", "taking over", "answer", "statement", "one object"])
def test_a_question_teaches_nothing_until_it_recurs(intent: str) -> None:
    asked = [
        occur(Detector.REJECTION, name, "why is it so slow", intent=intent) for name in ("a", "b")
    ]
    assert [each.remedy for each in find_findings(asked[:1], SEEN)] == [Remedy.NONE]
    assert [each.remedy for each in find_findings(asked, SEEN)] == [Remedy.RULE]


def test_words_that_say_the_same_are_one_finding_and_opposite_ones_are_not() -> None:
    said = [
        occur(Detector.REJECTION, "a", "don't run ci or integration tests too slow", 1),
        occur(Detector.REJECTION, "b", "do not run the ci or integration tests", 2),
        occur(Detector.REJECTION, "c", "use pnpm for the scripts", 3),
        occur(Detector.REJECTION, "d", "don't use pnpm for the scripts", 4),
    ]
    found = find_findings(said, SEEN)
    assert sorted(len(each.sessions) for each in found) == [1, 1, 2]
    assert found[0].sessions == ("a", "b")
    assert found[0].key == said[0].key
    assert found[0].other_keys == (said[1].key,)
    (alone,) = find_findings(said[1:2], SEEN)
    assert alone.fingerprint in found[0].other_fingerprints


def test_the_title_says_its_numbers() -> None:
    (found,) = find_findings(repeat(Detector.HIDDEN_FAILURE, (2, 1), "go test"), SEEN)
    assert found.title == (
        "Failed tests looked like success, `go test`: 3 times, in 2 of 41 sessions"
    )
    quote = "use\x1b[31m pnpm\n" + "x" * 300
    (said,) = find_findings([occur(Detector.REJECTION, "a", quote=quote)], SEEN)
    assert said.title.isprintable()
    assert len(said.title) < 200
    assert said.title.endswith("in 1 of 41 sessions")


@pytest.mark.parametrize("detector", list(Detector))
def test_every_detector_has_a_title(detector: Detector) -> None:
    many = repeat(detector, (4, 4, 4), SEPARATOR.join("abcd"))
    found = find_findings(many, SEEN)
    assert found
    assert all("in 3 of 41 sessions" in each.title for each in found)


def test_evidence_is_of_different_sessions_first() -> None:
    (found,) = find_findings(repeat(Detector.REPEATED_ERROR, (9, 1, 1)), SEEN)
    assert len(found.evidence) == MOST_EVIDENCE
    assert [each.session for each in found.evidence] == ["s2", "s1", "s0", "s0", "s0"]


def test_what_the_live_settings_allow_is_not_proposed() -> None:
    many = repeat(Detector.PERMISSION, (3, 3), "Bash(go test *)")
    assert find_findings(many, SEEN, allow_rules=["Bash(go vet *)", "Read(*)"])
    for rule in ("Bash(go test *)", "Bash(go test:*)", "Bash(go *)", "Bash", "Bash(*)"):
        assert not find_findings(many, SEEN, allow_rules=[rule])


def test_a_procedure_needs_three_sessions_and_is_as_long_as_possible() -> None:
    def repeat_steps(steps: str, *sessions: str) -> list[StoredOccurrence]:
        return [
            occur(
                Detector.PROCEDURE, name, SEPARATOR.join(steps[at : at + LENGTH]), at, position=at
            )
            for name in sessions
            for at in range(len(steps) - LENGTH + 1)
        ]

    assert not find_findings(repeat_steps("abcdef", "s1", "s2"), SEEN)
    (found,) = find_findings(repeat_steps("abcdef", "s1", "s2", "s3"), SEEN)
    assert found.remedy is Remedy.SKILL
    assert found.detail["commands"] == list("abcdef")
    assert found.occurrences == 3


def test_a_procedure_whose_key_was_masked_is_left_out() -> None:
    many = [occur(Detector.PROCEDURE, f"s{n}", "a\nb [REDACTED]", n, position=0) for n in range(4)]
    assert not find_findings(many, SEEN)


def test_a_loaded_rule_that_is_broken_again_becomes_a_check() -> None:
    many = repeat(Detector.HIDDEN_FAILURE, (1, 1, 1))

    def find(loaded: set[str]) -> SessionFinding:
        (found,) = find_findings(
            many, SEEN, find_loaded_rule=lambda _, session: "r-1" if session in loaded else ""
        )
        return found

    assert find(set()).remedy is Remedy.RULE
    assert find({"s1"}).remedy is Remedy.RULE
    broken = find({"s1", "s2"})
    assert broken.remedy is Remedy.CHECK
    assert (broken.detail["rule"], broken.detail["broken_in"]) == ("r-1", ["s1", "s2"])
    assert broken.title.endswith("in 3 of 41 sessions, 2 of them with rule r-1 loaded")


def test_projects_are_never_added_up() -> None:
    one = repeat(Detector.HIDDEN_FAILURE, (1,))
    other = [replace(each, project="/q", session="x") for each in one]
    assert find_findings([*one, *other], {"/p": 9, "/q": 9}) == []


OCCURRENCES = st.lists(
    st.builds(
        occur,
        st.sampled_from(list(Detector)),
        st.sampled_from(["s1", "s2", "s3", "s4"]),
        st.sampled_from(
            ["use pnpm", "don't use pnpm", "please use pnpm", "a\nb\nc\nd", "b\nc\nd\ne"]
        ),
        st.integers(0, 5),
        position=st.integers(0, 4),
        intent=st.sampled_from(["instruction", "question"]),
    ),
    max_size=30,
)


@given(OCCURRENCES, st.randoms(use_true_random=False))
def test_the_order_of_occurrences_makes_no_difference(
    many: list[StoredOccurrence], shuffler: random.Random
) -> None:
    expected = find_findings(many, SEEN)
    shuffled = list(many)
    shuffler.shuffle(shuffled)
    assert find_findings(shuffled, SEEN) == expected


@given(OCCURRENCES)
def test_more_of_the_same_in_one_session_makes_no_finding_of_two(
    many: list[StoredOccurrence],
) -> None:
    one_session = [replace(each, session="s1") for each in many]
    found = find_findings(one_session, SEEN)
    strict = (Detector.REPEATED_ERROR, Detector.HIDDEN_FAILURE, Detector.PERMISSION)
    assert not [each for each in found if each.detector in strict]
    for each in found:
        assert each.sessions == ("s1",)


@given(OCCURRENCES)
def test_numbers_of_a_finding_agree(many: list[StoredOccurrence]) -> None:
    for each in find_findings(many, SEEN):
        assert each.occurrences >= len(each.sessions) == len(set(each.sessions)) >= 1
        assert 1 <= len(each.evidence) <= MOST_EVIDENCE
        covered = {place.session for place in each.evidence}
        assert covered <= set(each.sessions)
        assert len(covered) == min(MOST_EVIDENCE, len(each.sessions))
