"""Permission rules in settings.local.json: only their text changes."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import LoopError, RulebookError, UsageError
from orchestrator.proposals.permissions import PermissionFile
from orchestrator.session_hooks import settings
from tests.proposals.making import GO_TEST

GO_VET = "Bash(go vet ./...)"


def file(project: Path, data: bytes | None = None) -> PermissionFile:
    made = PermissionFile(project.resolve(), project.parent / "state")
    if data is not None:
        made.path.parent.mkdir(exist_ok=True)
        made.path.write_bytes(data)
    return made


def test_a_missing_file_is_created_and_the_diff_says_so(project: Path) -> None:
    permissions = file(project)
    diff = permissions.preview_addition([GO_TEST])
    assert diff.startswith("--- /dev/null\n+++ b/.claude/settings.local.json\n")
    assert not permissions.path.exists()
    assert permissions.add_rules([GO_TEST]) == permissions.path
    assert json.loads(permissions.path.read_text("utf-8")) == {"permissions": {"allow": [GO_TEST]}}
    assert permissions.add_rules([GO_TEST]) is None
    assert permissions.preview_addition([GO_TEST]) == ""
    added = "".join(f"+{line}\n" for line in permissions.path.read_text("utf-8").splitlines())
    assert diff.endswith(added)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b'{\n  "permissions": {\n    "allow": [\n      "Bash(go test *)"\n    ]\n  }\n}\n'),
        (
            b'{"permissions": {"allow": ["Read(x)"]}, "b": 1.50}',
            b'{"permissions": {"allow": ["Read(x)", "Bash(go test *)"]}, "b": 1.50}',
        ),
        (
            b'\xef\xbb\xbf{\r\n\t"permissions": {\r\n\t\t"deny": []\r\n\t}\r\n}\r\n',
            b'\xef\xbb\xbf{\r\n\t"permissions": {\r\n\t\t"deny": [],\r\n\t\t"allow": [\r\n\t\t\t'
            b'"Bash(go test *)"\r\n\t\t]\r\n\t}\r\n}\r\n',
        ),
    ],
    ids=["empty", "one line", "BOM, CRLF and tabs"],
)
def test_every_other_byte_stays(project: Path, before: bytes, after: bytes) -> None:
    permissions = file(project, before)
    permissions.add_rules([GO_TEST])
    assert permissions.path.read_bytes() == after
    assert GO_TEST in permissions.read_rules()


@given(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=4),
    st.lists(st.sampled_from(["Read(a)", "Bash(x)", GO_VET]), max_size=3),
    st.sampled_from([None, 0, 2, 4]),
    st.booleans(),
)
def test_adding_changes_nothing_else_and_removing_takes_it_back(
    tmp_path_factory: pytest.TempPathFactory,
    others: dict[str, object],
    allowed: list[str],
    indent: int | None,
    has_list: bool,
) -> None:
    project = tmp_path_factory.mktemp("project")
    known = {**others, "permissions": {"allow": allowed, "deny": ["x"]} if has_list else {}}
    permissions = file(project, json.dumps(known, indent=indent).encode())
    permissions.add_rules([GO_TEST, GO_VET])
    found = json.loads(permissions.path.read_text("utf-8"))
    listed = found["permissions"].pop("allow")
    assert listed == [*(allowed if has_list else []), *([GO_TEST])] + (
        [] if has_list and GO_VET in allowed else [GO_VET]
    )
    known["permissions"].pop("allow", None)  # type: ignore[attr-defined] # an object of ours
    assert found == known
    permissions.remove_rules([GO_TEST])
    assert GO_TEST not in permissions.read_rules()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{oops", "is not valid JSON"),
        (b'{"permissions": {"allow": [1]}}', "is not a list of texts"),
        (b'{"permissions": {"allow": {}}}', "is not a list of texts"),
        (b'{"permissions": []}', "`permissions` is not an object"),
        (b"[]", "it is not an object"),
        (b"\xff\xfe{\0}\0", "is not UTF-8"),
        (b"[" * 100_000, "is not valid JSON"),
    ],
)
def test_a_broken_file_is_one_clear_line_and_stays(project: Path, data: bytes, said: str) -> None:
    permissions = file(project, data)
    for act in (permissions.preview_addition, permissions.add_rules, permissions.remove_rules):
        with pytest.raises(UsageError, match=said) as failed:
            act([GO_TEST])
        assert "\n" not in str(failed.value)
        assert "it was not changed" in failed.value.hint
    assert permissions.path.read_bytes() == data


def test_a_link_out_of_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "settings.json"
    outside.write_text("{}", encoding="utf-8")
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.local.json").symlink_to(outside)
    with pytest.raises(RulebookError, match="a link out of the project"):
        file(project).add_rules([GO_TEST])
    assert outside.read_text("utf-8") == "{}"


def test_a_linked_folder_out_of_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    (project / ".claude").symlink_to(outside)
    with pytest.raises(RulebookError, match="a link out of the project"):
        file(project).add_rules([GO_TEST])
    assert list(outside.iterdir()) == []


def test_what_is_never_allowed_is_refused_when_it_is_written_too(project: Path) -> None:
    with pytest.raises(UsageError, match="never allowed this way"):
        file(project).add_rules([GO_TEST, "Bash(curl *)"])
    with pytest.raises(UsageError, match="there is no permission rule"):
        file(project).add_rules([])
    assert not (project / ".claude").exists()


def test_hooks_and_permissions_share_a_file(project: Path) -> None:
    settings.install_hooks(project / ".claude" / "settings.local.json")
    before = (project / ".claude" / "settings.local.json").read_bytes()
    permissions = file(project)
    permissions.add_rules([GO_TEST])
    assert settings.is_installed(permissions.path)
    settings.uninstall_hooks(permissions.path)
    assert permissions.read_rules() == (GO_TEST,)
    assert b"orchestrator hook" in before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written(project: Path) -> None:
    permissions = file(project, b"{}")
    permissions.path.chmod(0o444)
    with pytest.raises(LoopError, match="write-protected"):
        permissions.add_rules([GO_TEST])
