import pytest

from orchestrator.errors import UsageError
from orchestrator.failures.manual_failure import TEXT_BOUND, build_manual_failure
from teacher.models import FailureType


def test_a_report_becomes_a_failure() -> None:
    given = build_manual_failure(
        FailureType.PLANNING_ERROR, "It forgot\nthe migration.", "models.py", "Add a column"
    )
    assert given.type is FailureType.PLANNING_ERROR
    assert given.source == "manual"
    assert given.summary == "It forgot the migration."
    assert (given.logs, given.context, given.task) == (
        "It forgot\nthe migration.",
        "models.py",
        "Add a column",
    )


@pytest.mark.parametrize("description", ["", "  ", "\n\t"])
def test_an_empty_description_is_refused(description: str) -> None:
    with pytest.raises(UsageError, match=r"empty .*--description"):
        build_manual_failure(FailureType.OTHER, description)


def test_giant_texts_keep_their_ends() -> None:
    given = build_manual_failure(FailureType.OTHER, "begin" + "x" * 10**6 + "end", "y" * 10**6)
    assert len(given.logs) < TEXT_BOUND + 100
    assert given.logs.startswith("begin")
    assert given.logs.endswith("end")
    assert "characters left out" in given.context
    assert len(given.summary) <= 200


def test_the_fingerprint_is_of_type_and_words() -> None:
    def of(kind: FailureType, words: str) -> str:
        return build_manual_failure(kind, words).fingerprint

    assert of(FailureType.OTHER, "a  b") == of(FailureType.OTHER, "a b\n")
    assert of(FailureType.OTHER, "a b") != of(FailureType.SCOPE_ERROR, "a b")
    assert of(FailureType.OTHER, "a b") != of(FailureType.OTHER, "a c")
