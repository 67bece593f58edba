import pytest

from calculator import ExpressionError, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("1.5 + .5", 2),
        ("2 + 3 * 4", 14),
        ("2 * (3 + 4)", 14),
        ("-3 + 5", 2),
        ("-2 ^ 2", -4),
        ("2 ^ 3 ^ 2", 512),
        ("8 / 4 / 2", 1),
    ],
)
def test_evaluate(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize(("text", "value"), [("8 - 3 - 2", 3), ("1 - 2 + 3", 2)])
def test_sums_are_read_from_the_left(text, value):
    assert evaluate(text) == value


@pytest.mark.parametrize("text", ["", "2 +", "(1 + 2", "2 $ 3", "1 2", "1 / 0"])
def test_what_is_no_expression(text):
    with pytest.raises(ExpressionError):
        evaluate(text)
