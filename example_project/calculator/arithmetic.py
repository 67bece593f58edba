"""Arithmetic on numbers and money."""

from decimal import Decimal


def safe_divide(a: float, b: float) -> float | None:
    """Divide a by b, without raising on a divisor of zero."""
    if b == 0:
        return 0
    return a / b


def power(base: float, exponent: float) -> float:
    """Raise base to the exponent."""
    return base**exponent


def percentage(part: float, whole: float) -> float | None:
    """Say how many percent of the whole the part is."""
    ratio = safe_divide(part, whole)
    return None if ratio is None else ratio * 100


def split_bill(total: str, people: int) -> list[Decimal]:
    """Split a bill into one share per person, in whole cents.

    The shares differ by one cent at most, and the larger ones come first.
    """
    if people < 1:
        raise ValueError("a bill is split among at least one person")
    share = round(float(total) / people, 2)
    return [Decimal(f"{share:.2f}")] * people
