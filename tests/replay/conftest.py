"""Fixtures of the tests of the replay model."""

from types import ModuleType

import pytest


@pytest.fixture
def sdk() -> ModuleType:
    """The Anthropic SDK."""
    import anthropic

    return anthropic
