"""A person with a project of a given shape."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.first_hour.person import Person
from tests.first_hour.shapes import Shape, find_shape


@pytest.fixture
def meet(tmp_path: Path) -> Callable[[Shape], Person]:
    """Return a function that makes a person with a project of a shape."""
    return lambda shape: Person(tmp_path / "world", shape)


@pytest.fixture
def person(meet: Callable[[Shape], Person]) -> Person:
    """A person whose project is as simple as can be."""
    return meet(find_shape("flat"))
