"""The rules that let an agent run a project's tests."""

import pytest

from orchestrator.agents.permissions import build_suite_permissions

USUAL = tuple(
    rule
    for way in ("pytest", "python -m pytest", "python3 -m pytest")
    for rule in (f"Bash({way})", f"Bash({way} *)")
)


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("pytest", ()),
        ("pytest tests/ -v", ("pytest tests/ -v",)),
        (".venv/bin/pytest -q", (".venv/bin/pytest -q", ".venv/bin/pytest")),
        ("uv run pytest -x", ("uv run pytest -x", "uv run pytest")),
        ("make test", ("make test",)),
        ("npm test -- --ci", ("npm test -- --ci",)),
        ("pytest -k 'a and (b or c)'", ()),  # parentheses end a rule
        ("pytest tests/*", ()),  # a star would allow more than the command
        ("pytest 'unbalanced", ("pytest 'unbalanced",)),
        ("", ()),
    ],
)
def test_rules(command: str, more: tuple[str, ...]) -> None:
    expected = tuple(rule for way in more for rule in (f"Bash({way})", f"Bash({way} *)"))
    assert set(build_suite_permissions(command)) == {*expected, *USUAL}
