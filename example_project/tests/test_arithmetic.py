from decimal import Decimal

import pytest

from calculator import percentage, power, safe_divide, split_bill


def test_safe_divide_divides():
    assert safe_divide(6, 3) == 2
    assert safe_divide(1, 4) == 0.25


def test_safe_divide_of_zero_is_zero():
    assert safe_divide(0, 5) == 0


def test_safe_divide_by_zero_has_no_answer():
    assert safe_divide(1, 0) is None


def test_percentage():
    assert percentage(1, 4) == 25


def test_percentage_of_nothing_has_no_answer():
    assert percentage(3, 0) is None


def test_power():
    assert power(2, 10) == 1024


def test_split_bill_evenly():
    assert split_bill("30.00", 3) == [Decimal("10.00")] * 3


@pytest.mark.parametrize(
    ("total", "people"), [("10.00", 3), ("0.05", 2), ("99.99", 7), ("100.00", 6)]
)
def test_split_bill_adds_up_to_the_bill(total, people):
    shares = split_bill(total, people)
    assert sum(shares) == Decimal(total)


def test_split_bill_needs_somebody_to_pay():
    with pytest.raises(ValueError, match="at least one person"):
        split_bill("10.00", 0)
