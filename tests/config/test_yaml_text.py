"""YAML from a cloned repository: every hostile file is one error line, in bounded time.

The first four took minutes or all memory, the others were a traceback.
"""

from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.config.yaml_text import MOST_BYTES, parse_yaml
from orchestrator.errors import ConfigError

MANY_KEYS = "\n".join(f"key{at}: value" for at in range(6_000))


def build_alias_bomb(depth: int) -> str:
    """Return lines of aliases that stand for nine to the power of `depth` values."""
    first = f"a0: &a0 [{', '.join(['x'] * 9)}]"
    more = (f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]" for at in range(1, depth))
    return "\n".join([first, *more])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (build_alias_bomb(10), "more than 10,000 values, aliases expanded (line 5)"),
        (build_alias_bomb(10).replace("[", "{? [").replace("]", "]}"), "is not valid YAML"),
        (f"a: {'[' * 200_000}", "more than 50 values inside each other"),
        ("x" * (MOST_BYTES + 1), "is longer than 256 KiB"),
        (MANY_KEYS, "more than 10,000 values"),
        ("a: " + "- " * 2_000, "is not valid YAML"),
        ("a: &a [*a]", "a value contains itself (line 1)"),
        ("&a\na: {b: *a}", "a value contains itself (line 2)"),
        ("a: " + "9" * 5_000, "a value cannot be read"),
        ("a: 2026-13-45", "a value cannot be read"),
        ("a: !!bool maybe", "a value cannot be read"),
        ("a: !!int ''", "a value cannot be read"),
        ("a: !!timestamp soon", "a value cannot be read"),
        ("!!set {a, b}", "must be a mapping"),
        ("a: !!python/name:os.system ''", "is not valid YAML"),
    ],
)
def test_hostile_file_is_one_error_line(tmp_path: Path, text: str, problem: str) -> None:
    """The file is refused with its name and the problem."""
    file = tmp_path / "orchestrator.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environment={})
    message = str(caught.value)
    assert message.startswith(f"{file}:")
    assert problem in message
    assert "\n" not in message
    assert len(message) < 1_000


@pytest.mark.parametrize("value", ["9" * 5_000, "[[" * 500, "2026-13-45"])
def test_hostile_list_in_environment_is_one_error_line(tmp_path: Path, value: str) -> None:
    """A variable that holds a list is parsed by the same rules."""
    with pytest.raises(ConfigError, match="environment ORCHESTRATOR_CLAUDE_ALLOWED_TOOLS"):
        load_config(tmp_path, environment={"ORCHESTRATOR_CLAUDE_ALLOWED_TOOLS": value})


def test_ordinary_aliases_are_expanded() -> None:
    """Anchors, aliases and merge keys work as in any YAML file."""
    root, values = parse_yaml("base: &b {x: [1, 2]}\nagain: *b\nmore: {<<: *b, y: 3}\n")
    assert root is not None
    assert values["again"] == {"x": [1, 2]}
    assert values["more"] == {"x": [1, 2], "y": 3}
    assert parse_yaml("") == (None, None)
