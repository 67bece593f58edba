import pytest

from calculator import mean, median, moving_average


def test_mean():
    assert mean([1, 2, 3, 6]) == 3


def test_mean_of_nothing():
    assert mean([]) is None


def test_median_of_an_odd_number_of_values():
    assert median([9, 1, 5]) == 5


def test_median_of_an_even_number_of_values():
    assert median([4, 1, 3, 2]) == 2.5


def test_median_of_nothing():
    assert median([]) is None


def test_moving_average_covers_every_window():
    assert moving_average([1, 2, 3, 4], 2) == [1.5, 2.5, 3.5]


def test_moving_average_as_wide_as_the_list():
    assert moving_average([2, 4, 6], 3) == [4]


def test_moving_average_needs_a_window():
    with pytest.raises(ValueError, match="at least one"):
        moving_average([1, 2], 0)
