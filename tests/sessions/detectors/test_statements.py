import pytest

from orchestrator.sessions.detectors.statements import is_about_one_object, is_statement


@pytest.mark.parametrize("piece", ["a", "a ", "lol ", "a.", "./", "the a ", "0a", "a@", "A-"])
@pytest.mark.timeout(20)
def test_long_texts_cost_no_time(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    is_statement([text[:2_000]])
    is_about_one_object(text)


def test_nothing_is_no_statement() -> None:
    assert not is_statement([])
    assert not is_about_one_object("")
