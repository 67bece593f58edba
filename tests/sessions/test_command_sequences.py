from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting.command_sequences import Location, join_sequences

LENGTH = 4


def cut(sessions: dict[str, str]) -> dict[Location, str]:
    """Return the grams of sessions whose commands are letters."""
    return {
        (name, at): steps[at : at + LENGTH]
        for name, steps in sessions.items()
        for at in range(len(steps) - LENGTH + 1)
        if len(set(steps[at : at + LENGTH])) == LENGTH
    }


def join(*sessions: str, least: int = 3) -> list[str]:
    named = {f"s{number}": steps for number, steps in enumerate(sessions)}
    return ["".join(each.commands) for each in join_sequences(cut(named), least)]


def test_overlapping_sequences_are_one() -> None:
    assert join("abcdefg", "abcdefg", "abcdefg") == ["abcdefg"]


def test_only_what_recurs_in_enough_sessions_belongs_to_it() -> None:
    assert join("abcdeXYZ", "abcdeUVW", "PQRabcde") == ["abcde"]
    assert join("abcd", "abcd") == []
    assert join("abcdXabcdYabcd") == []


def test_the_same_commands_begun_elsewhere_are_one_procedure() -> None:
    assert join(*["abcdabcdabcd"] * 3) == ["abcd"]


def test_a_part_that_covers_more_is_kept() -> None:
    assert join(*["abcd"] * 9, *["abcde"] * 3) == ["abcd"]
    assert join(*["abcde"] * 9, "abcd") == ["abcde"]


def test_different_procedures_are_kept() -> None:
    assert join(*["abcdXwxyz"] * 1, *["abcd", "wxyz"] * 3) == ["abcd", "wxyz"]


@given(st.lists(st.text("abcdef", max_size=14), max_size=6), st.integers(1, 3))
def test_each_sequence_stands_where_it_says_in_enough_sessions(
    sessions: list[str], least: int
) -> None:
    named = {f"s{number}": steps for number, steps in enumerate(sessions)}
    for found in join_sequences(cut(named), least):
        commands = "".join(found.commands)
        assert len(set(commands)) == len(commands) >= LENGTH
        assert found.sessions >= least
        for session, at in found.locations:
            assert named[session][at:].startswith(commands)
