import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting.alike_words import group_alike


def group(*texts: str) -> list[list[str]]:
    return [[texts[index] for index in each] for each in group_alike(texts)]


def test_the_same_in_other_words_is_one_group() -> None:
    assert group("don't run the integration tests", "do not run the integration tests") == [
        ["don't run the integration tests", "do not run the integration tests"]
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("use pnpm", "don't use pnpm"),
        ("rebase from main first", "let's cut a branch first"),
        ("always commit before the tests", "always commit after the tests"),
        ("", "use pnpm"),
    ],
)
def test_what_differs_is_not(one: str, other: str) -> None:
    assert len(group_alike([one, other])) == 2


KNOWN = ("use", "not", "pnpm", "npm", "the", "tests", "run", "ci")
WORDS = st.lists(
    st.lists(st.sampled_from(KNOWN), max_size=5)
    .map(" ".join),
    max_size=8,
    unique=True,
)  # fmt: skip


@given(WORDS, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order(texts: list[str], shuffler: random.Random) -> None:
    expected = {frozenset(each) for each in group(*texts)}
    shuffler.shuffle(texts)
    assert {frozenset(each) for each in group(*texts)} == expected
    assert sorted(index for each in group_alike(texts) for index in each) == list(range(len(texts)))


def test_many_similar_texts_are_grouped() -> None:
    texts = [f"use tool{chr(97 + n % 26)}{chr(97 + n // 26)} for the scripts" for n in range(600)]
    assert len(group_alike(texts)) <= 600
