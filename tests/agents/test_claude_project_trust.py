"""What of a project's settings for Claude Code is loaded only after the user has trusted it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orchestrator.agents.claude_project_trust import RiskySettings, list_risky_settings

OWN = "true # ours"
HOOK = {"type": "command", "command": "curl https://other.example"}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def risky(project: Path) -> list[RiskySettings]:
    return list_risky_settings(project.resolve(), (OWN,))


@pytest.mark.parametrize("name", [".claude/settings.json", ".claude/settings.local.json"])
@pytest.mark.parametrize(
    ("settings", "effect"),
    [
        ({"hooks": {"Stop": [{"hooks": [HOOK]}]}}, "hook on Stop, `curl https://other.example`"),
        ({"hooks": {"Stop": [{"hooks": [{"type": "http", "url": "https://x"}]}]}}, "`https://x`"),
        ({"hooks": {"Stop": "anything"}}, ""),
        ({"env": {"NODE_OPTIONS": "--require x"}}, "sets NODE_OPTIONS=--require x"),
        ({"apiKeyHelper": "x"}, "apiKeyHelper"),
        ({"statusLine": {"type": "command"}}, "sets statusLine"),
        ({"permissions": {"allow": ["Bash"]}}, "allows without asking: Bash"),
        ({"permissions": {"defaultMode": "bypassPermissions"}}, "sets permissions.defaultMode"),
        ({"permissions": {"additionalDirectories": ["/"]}}, "permissions.additionalDirectories"),
        ({"permissions": "anything"}, ""),
        ({"enableAllProjectMcpServers": True}, "sets enableAllProjectMcpServers: true"),
        ({"enabledPlugins": {"x@y": True}}, "sets enabledPlugins"),
        ({"model": "opus"}, 'sets model: "opus"'),
        ({"a setting of tomorrow": 1}, "sets a setting of tomorrow"),
        ("{", "cannot be parsed"),
        ('{"hooks": {}, "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "cannot be parsed"),
    ],
)
def test_settings_that_do_something_need_trust(
    project: Path, name: str, settings: Any, effect: str
) -> None:
    path = write(project / name, settings)
    (found,) = risky(project)
    assert found.key == name
    assert effect in "\n".join(found.effects)
    path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert [each.text == found.text for each in risky(project)] == [False]


@pytest.mark.parametrize(
    "settings",
    [
        "",
        {},
        {"$schema": "x", "permissions": {"deny": ["Edit(tests/**)"], "ask": ["Bash"]}},
        {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": OWN, "timeout": 10}]}]}},
    ],
)
def test_settings_that_only_forbid_need_none(project: Path, settings: Any) -> None:
    write(project / ".claude/settings.json", settings)
    assert risky(project) == []


@pytest.mark.parametrize("command", [f"curl x; {OWN}", f"{OWN}\ncurl x", "curl x # ours"])
def test_a_hook_that_looks_like_ours_needs_trust(project: Path, command: str) -> None:
    hook = {"type": "command", "command": command}
    write(project / ".claude/settings.json", {"hooks": {"Stop": [{"hooks": [hook]}]}})
    assert risky(project) != []


def test_servers_need_trust_also_those_of_folders_above(project: Path) -> None:
    subprocess.run(["git", "init", "-q", project], check=True)
    inner = project / "packages" / "core"
    inner.mkdir(parents=True)
    servers = {"mcpServers": {"helpful": {"command": "sh", "args": ["-c", "touch x"]}}}
    write(project / ".mcp.json", servers)
    (found,) = risky(inner)
    assert found.key == "../../.mcp.json"
    assert found.effects == ("MCP server helpful, `sh -c touch x`",)
    write(project / ".mcp.json", {"mcpServers": {}})
    assert risky(inner) == []


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ("Review the code.", True),
        ("---\nname: reviewer\ndescription: >\n  Reviews.\n---\nReview the code.", True),
        ("---\nname: x\nhooks:\n  Stop: [{hooks: [{type: command, command: x}]}]\n---\n", False),
        ('---\n"hooks": {}\n---\n', False),
        ("---\n{name: x, hooks: {}}\n---\n", False),
        ("---\nallowed-tools: Bash(*)\n---\n", False),
        ("---\nmcpServers: {}\n---\n", False),
        ("---\nname: x\rhooks: {}\n---\n", False),
        ("---\nname: x\n", False),
        ("\n---\nhooks: {}\n---\n", False),
        ("Look: !`curl x`", False),
        ("```!\ncurl x\n```", False),
    ],
)
@pytest.mark.parametrize("kind", ["agents/a.md", "commands/sub/a.md", "skills/a/SKILL.md"])
def test_agents_commands_and_skills_that_are_more_than_text(
    project: Path, kind: str, text: str, is_plain: bool
) -> None:
    write(project / ".claude" / kind, text)
    keys = [each.key for each in risky(project)]
    assert keys == ([] if is_plain else [f".claude/{kind.partition('/')[0]}"])


def test_all_files_of_a_skill_are_trusted_together(project: Path, tmp_path: Path) -> None:
    skill = project / ".claude/skills/a"
    write(skill / "SKILL.md", "---\nallowed-tools: Bash(sh run.sh)\n---\n")
    script = write(skill / "run.sh", "true")
    (before,) = risky(project)
    script.write_text("curl x", encoding="utf-8")
    (after,) = risky(project)
    assert before.text != after.text
    elsewhere = write(tmp_path / "elsewhere" / "SKILL.md", "---\nhooks: {}\n---\n")
    (project / ".claude/skills/b").symlink_to(elsewhere.parent)
    (linked,) = risky(project)
    assert "b/SKILL.md may run or allow something" in linked.effects
    (project / ".claude/skills/c").symlink_to(".")  # leads round in a circle
    (circle,) = risky(project)
    assert circle.key == ".claude/skills"


def test_too_much_cannot_be_trusted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write(project / f".claude/agents/{number}.md", "Text.")
    assert risky(project) == []
    monkeypatch.setattr("orchestrator.agents.claude_project_trust._MOST_FILES", 2)
    (found,) = risky(project)
    assert found.text == ""


def test_rules_and_instructions_are_only_text(project: Path) -> None:
    for name in ("CLAUDE.md", ".claude/CLAUDE.md", ".claude/rules/a.md", "AGENTS.md"):
        write(project / name, "---\npaths: x\n---\nNever guess.")
    assert risky(project) == []


@pytest.mark.parametrize(
    "text",
    [
        "---\n name: a\n hooks:\n  Stop: []\n---\n",
        "---\n\tname: a\n---\n",
        "---\n# a\n allowed-tools: Bash\n---\n",
        "---\ndescription: a\u2028---\u2028b\nallowed-tools: Bash\n---\n",
        "---\ndescription: a\x0c---\nallowed-tools: Bash\n---\n",
        "---\rname: a\rallowed-tools: Bash\r---\r",
        "---\nname: a\rhooks: x\n---\n",
        "---\nname:a\n---\n",
        "-\0-\0-\0\n\0",
    ],
)
def test_fields_that_another_reader_would_see_need_trust(project: Path, text: str) -> None:
    path = project / ".claude/agents/a.md"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    assert [each.key for each in risky(project)] == [".claude/agents"]


def test_plain_fields_need_none_however_the_lines_end(project: Path) -> None:
    text = (
        "---\r\n# of ours\r\nname: a\r\ndescription:\r\n  two\r\n  lines\r\n---\r\nText\u2028.\r\n"
    )
    write(project / ".claude/agents/a.md", "")
    (project / ".claude/agents/a.md").write_bytes(text.encode())
    assert risky(project) == []


def test_skills_of_folders_below_need_trust(project: Path) -> None:
    write(project / "web/deep/.claude/skills/a/SKILL.md", "---\nallowed-tools: Bash\n---\n")
    write(project / "app/.claude/skills/a/SKILL.md", "---\nname: a\n---\n")
    assert [each.key for each in risky(project)] == ["web/deep/.claude/skills"]


def test_links_to_a_folder_above_are_followed_once(project: Path) -> None:
    folder = project / ".claude/skills"
    folder.mkdir(parents=True)
    for name in "abc":
        (folder / name).symlink_to(".")
    assert risky(project) == []
