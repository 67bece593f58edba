"""Our hooks in settings.json: beside what is there, and gone again without a trace."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.errors import LoopError, UsageError
from orchestrator.session_hooks import jsontext, settings

OTHERS = """{
    "permissions": { "allow": ["Bash(ls:*)"],   "deny": [] },
    "hooks": {
        "PreToolUse": [
            {"matcher": "Edit", "hooks": [{"type": "command", "command": "./lint.sh"}]}
        ],
        "SessionStart": []
    },
    "note": "caf\\u00e9 \\/"
}"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project" / ".claude" / "settings.json"


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def ours(path: Path) -> dict[str, list[str]]:
    found = json.loads(path.read_text(encoding="utf-8-sig")).get("hooks", {})
    return {
        event: [
            hook["command"]
            for group in groups
            for hook in group["hooks"]
            if hook["command"].endswith(settings.MARK)
        ]
        for event, groups in found.items()
    }


def test_a_file_of_our_own(path: Path) -> None:
    assert settings.install_hooks(path).changed
    assert settings.is_installed(path)
    assert ours(path) == {event: [settings.build_hook_command()] for event in settings.EVENTS}
    assert path.read_bytes().endswith(b"}\n")
    assert settings.uninstall_hooks(path).changed
    assert not path.exists()
    assert not settings.uninstall_hooks(path).changed
    assert not settings.is_installed(path)


@pytest.mark.parametrize(
    "text",
    [
        OTHERS,
        OTHERS + "\n\n",
        OTHERS.replace("\n", "\r\n"),
        OTHERS.replace("    ", "\t"),
        "\ufeff" + OTHERS,
        '{"a":1}',
        '{ "a" : 1 , "b" : [ ] }\n',
        '{\n  "a": 1\n}\n',
        '{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}',
        '{"a": 1, "a": 2, "hooks": {"Other": [1]}}',
        '{"hooks": {"PreToolUse": [{"matcher": "Bash"}, 7, null]}}',
    ],
)
def test_what_was_there_stays_byte_for_byte(path: Path, text: str) -> None:
    write(path, text)
    before = path.read_bytes()
    assert settings.install_hooks(path).changed
    once = path.read_bytes()
    assert ours_only(path) == dict.fromkeys(settings.EVENTS, 1)
    assert not settings.install_hooks(path).changed
    assert path.read_bytes() == once
    assert settings.uninstall_hooks(path).changed
    assert path.read_bytes() == before


def ours_only(path: Path) -> dict[str, int]:
    text = path.read_text(encoding="utf-8-sig")
    hooks = json.loads(text)["hooks"]
    return {event: json.dumps(hooks[event]).count(settings.MARK) for event in settings.EVENTS}


def test_the_lines_of_the_others_are_still_lines_of_the_file(path: Path) -> None:
    write(path, OTHERS)
    settings.install_hooks(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in OTHERS.splitlines():
        assert line in lines or f"{line}," in lines
    assert "            {" in lines, "our group is laid out like the one before it"


def test_an_old_command_is_brought_up_to_date(path: Path) -> None:
    old = f"/gone/python /gone/entry.py || : {settings.MARK}"
    group = {"matcher": "*", "hooks": [{"type": "command", "command": old}]}
    write(path, json.dumps({"hooks": {"PreToolUse": [group], "SubagentStop": [group]}}))
    settings.install_hooks(path)
    assert ours(path) == {event: [settings.build_hook_command()] for event in settings.EVENTS}


def test_a_hook_that_somebody_put_beside_ours_stays(path: Path) -> None:
    settings.install_hooks(path)
    found = json.loads(path.read_text(encoding="utf-8"))
    found["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "mine"})
    write(path, json.dumps(found, indent=2))
    settings.uninstall_hooks(path)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "mine"}]}]}
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a": 1', "line 1 column"),
        (b"", None),
        (b"[]", "is not an object"),
        (b'{"hooks": []}', "`hooks` is not an object"),
        (b'{"hooks": {"Stop": {}}}', "hooks.Stop is not a list"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"// no JSON\n{}", "not valid JSON"),
    ],
)
def test_what_is_no_settings_file_is_refused_and_untouched(
    path: Path, text: bytes, said: str | None
) -> None:
    write(path, text)
    if said is None:
        assert settings.install_hooks(path).changed
        return
    for action in (settings.install_hooks, settings.uninstall_hooks):
        with pytest.raises(UsageError, match=said):
            action(path)
        assert path.read_bytes() == text


def test_a_link_stays_a_link_and_the_mode_stays(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    write(real, "{}")
    real.chmod(0o640)
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    settings.install_hooks(path)
    assert path.is_symlink()
    assert settings.MARK in real.read_text(encoding="utf-8")
    assert real.stat().st_mode & 0o777 == 0o640
    settings.uninstall_hooks(path)
    assert path.is_symlink()
    assert real.read_text(encoding="utf-8") == "{}"


def test_it_says_when_all_hooks_are_off(path: Path) -> None:
    write(path, '{"disableAllHooks": true}')
    assert settings.install_hooks(path).hooks_disabled


def test_many_at_once_install_once(path: Path) -> None:
    write(path, OTHERS)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: settings.install_hooks(path), range(16)))
    assert ours_only(path) == dict.fromkeys(settings.EVENTS, 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=12,
)
groups = st.lists(
    st.fixed_dictionaries({"matcher": st.text(max_size=4), "hooks": st.lists(values, max_size=2)}),
    min_size=1,
    max_size=3,
)
documents = st.fixed_dictionaries(
    {"x": values},
    optional={
        "hooks": st.dictionaries(
            st.sampled_from([*settings.EVENTS, "SessionStart"]), groups, min_size=1
        ),
        "permissions": values,
    },
)
layouts = st.sampled_from([None, 0, 1, 2, 4, "\t"])


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(documents, layouts, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_file_survives_install_and_uninstall(
    path: Path, document: dict[str, Any], layout: int | str | None, newline: str, ascii_only: bool
) -> None:
    text = json.dumps(document, indent=layout, ensure_ascii=ascii_only) + "\n"
    before = text.replace("\n", newline).encode("utf-8", "surrogatepass")
    write(path, before)
    try:
        before.decode("utf-8")
    except UnicodeDecodeError:
        return
    settings.install_hooks(path)
    installed = json.loads(path.read_bytes())
    assert set(settings.EVENTS) <= set(installed["hooks"])
    assert all(installed[name] == value for name, value in document.items() if name != "hooks")
    settings.uninstall_hooks(path)
    assert path.read_bytes() == before


@given(values)
def test_a_value_is_where_its_node_says(value: Any) -> None:
    text = json.dumps({"a": [value, 1], "b": value}, indent=1)
    root = jsontext.parse_json(text)
    assert root.value == json.loads(text)
    for node in (*root.members["a"].items, root.members["b"]):
        assert json.loads(text[node.start : node.end]) == node.value


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"a": ' + b"9" * 5_000 + b"}", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a":' * 3_000 + b"1" + b"}" * 3_000, "is not valid JSON"),
        (b'{"a": NaN}', "is not valid JSON"),
        (b'{"a": -Infinity}', "is not valid JSON"),
        (b"\x00", "is not valid JSON"),
        (b'{"a": "\xff"}', "is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
        (b'{"hooks": 1e999}', "is not a settings file"),
        (b'{"a": "' + b"x" * (1 << 20) + b'"}', "is longer than 1 MiB"),
    ],
)
@pytest.mark.parametrize("edit", [settings.install_hooks, settings.uninstall_hooks])
def test_hostile_file_is_one_error_line(
    path: Path, data: bytes, problem: str, edit: Callable[[Path], object]
) -> None:
    """The file is named, and not changed."""
    write(path, data)
    with pytest.raises(LoopError) as caught:
        edit(path)
    assert str(caught.value).startswith(f"{path} {problem}")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == data
    assert not settings.is_installed(path)


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a": 1e999}',
    ],
)
def test_unusual_file_is_edited(path: Path, data: bytes) -> None:
    """Claude Code reads these, and uninstalling gives back every byte."""
    write(path, data)
    settings.install_hooks(path)
    assert settings.is_installed(path)
    settings.uninstall_hooks(path)
    assert path.read_bytes() == data


def test_time_for_a_long_file_grows_with_its_length(path: Path) -> None:
    """8 MB took minutes; the longest file that is edited takes about a second."""
    seconds = []
    for size in (100_000, 900_000):
        document = {"env": {f"NAME_{at}": "value" for at in range(size // 27)}}
        write(path, json.dumps(document, indent=2).encode())
        started = time.process_time()
        settings.install_hooks(path)
        settings.uninstall_hooks(path)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 20 * seconds[0]
