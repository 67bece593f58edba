"""The copy of the configuration folder has what decides on instructions, and nothing else."""

import json
from pathlib import Path

import pytest

from orchestrator.services.doctor.config_copy import copy_config_folder


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")


def read(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text("utf-8")))


def test_secrets_and_programs_are_not_copied(home: Path, project: Path) -> None:
    settings = {
        "model": "opus",
        "apiKeyHelper": "echo 0penSesame",
        "hooks": {"Stop": []},
        "statusLine": {"command": "true"},
        "extraKnownMarketplaces": {"x": {"source": {"source": "git", "url": "https://x"}}},
        "enabledPlugins": {"p@x": True},
        "env": {
            "CLAUDE_CODE_SIMPLE": "1",
            "CLAUDE_CODE_OAUTH_TOKEN": "0penSesame",
            "AWS_SECRET_ACCESS_KEY": "0penSesame",
        },
    }
    write(home / ".claude" / "settings.json", settings)
    write(home / ".claude" / ".credentials.json", {"claudeAiOauth": "0penSesame"})
    write(home / ".claude" / "projects" / "x" / "a.md", "0penSesame")
    account = {"oauthAccount": "0penSesame", "mcpServers": {"a": {"env": {"KEY": "0penSesame"}}}}
    write(
        home / ".claude.json", {**account, "projects": {str(project): {"mcpServers": "0penSesame"}}}
    )
    with copy_config_folder({"HOME": str(home)}, project) as copy:
        paths = [path for path in copy.folder.rglob("*") if path.is_file()]
        assert [path.name for path in paths if b"0penSesame" in path.read_bytes()] == []
        assert read(copy.folder / "settings.json") == {
            "model": "opus",
            "env": {"CLAUDE_CODE_SIMPLE": "1"},
        }
        assert copy.folder.stat().st_mode & 0o077 == 0
    assert not copy.folder.exists()


def test_instructions_and_decisions_are_copied(home: Path, project: Path) -> None:
    write(home / ".claude" / "CLAUDE.md", "Be brief.\n")
    write(home / ".claude" / "rules" / "a.md", "Be kind.\n")
    approved = {"hasClaudeMdExternalIncludesApproved": True}
    projects = {str(project): approved, "/another": approved}
    write(home / ".claude.json", {"projects": projects})
    with copy_config_folder({"HOME": str(home)}, project) as copy:
        assert (copy.folder / "CLAUDE.md").read_text("utf-8") == "Be brief.\n"
        assert (copy.folder / "rules" / "a.md").read_text("utf-8") == "Be kind.\n"
        assert read(copy.folder / ".claude.json")["projects"] == {str(project): approved}
        excluded = copy.settings["claudeMdExcludes"]
    assert excluded == [f"{home}/.claude/CLAUDE.md", f"{home}/.claude/rules/**"]


def test_an_exclusion_by_the_original_path_holds_for_the_copy(home: Path, project: Path) -> None:
    own = str(home / ".claude" / "CLAUDE.md")
    write(home / ".claude" / "settings.json", {"claudeMdExcludes": [own, "**/x.md"]})
    with copy_config_folder({"HOME": str(home)}, project) as copy:
        assert copy.settings["claudeMdExcludes"][0] == str(copy.folder / "CLAUDE.md")


@pytest.mark.parametrize("text", ["", "{ broken", "[1]", "[" * 50_000, '{"env": 1}'])
def test_settings_that_are_odd(text: str, home: Path, project: Path) -> None:
    write(home / ".claude" / "settings.json", text)
    write(home / ".claude.json", text)
    with copy_config_folder({"HOME": str(home)}, project) as copy:
        assert (copy.folder / ".claude.json").exists()


def test_a_configuration_folder_that_is_missing(home: Path, project: Path) -> None:
    with copy_config_folder({"HOME": str(home)}, project) as copy:
        assert [path.name for path in copy.folder.iterdir()] == [".claude.json"]
