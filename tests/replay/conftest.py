"""What the tests of the replay model share."""

from types import ModuleType

import pytest


@pytest.fixture
def sdk() -> ModuleType:
    """The Anthropic SDK."""
    import anthropic

    return anthropic
