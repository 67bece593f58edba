import pytest

from calculator import Calculator, ExpressionError


def test_a_calculation_is_remembered():
    calculator = Calculator([])
    assert calculator.calculate("2 * 3") == 6
    assert calculator.history == ["2 * 3 = 6"]


def test_an_error_is_not_remembered():
    calculator = Calculator([])
    with pytest.raises(ExpressionError):
        calculator.calculate("2 *")
    assert calculator.history == []


def test_two_calculators_have_histories_of_their_own():
    first, second = Calculator(), Calculator()
    first.calculate("1 + 1")
    assert second.history == []


def test_the_last_lines_come_oldest_first():
    calculator = Calculator(["a", "b", "c"])
    assert calculator.last(2) == ["b", "c"]
    assert calculator.last(0) == []


def test_clear():
    calculator = Calculator(["a"])
    calculator.clear()
    assert calculator.history == []
