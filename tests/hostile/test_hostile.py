"""The real Claude Code program in a repository that means no good."""

import os
import shutil
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.agents.claude_project import describe_project_settings
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.rulebook.agents_md import find_active_agents_md
from tests.hostile.conftest import Recorder

pytestmark = pytest.mark.whole

Servers = tuple[Recorder, Recorder]


def run(project: Path, ours: Recorder, login: dict[str, str], **options: Any) -> AgentResult:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC")},
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{ours.port}",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        **login,
    }
    agent = ClaudeCodeAgent(environment=environment, program=find_bundled_program(), **options)
    limits = AgentLimits(wall_clock_seconds=60, no_output_seconds=60)
    return agent.run("hello", project, limits, lambda _: None)


def what_ran(project: Path) -> set[str]:
    return {path.name for path in project.iterdir() if path.name.startswith("ran-")}


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("login", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_requests_and_keys_go_where_the_user_says(
    login: str, trusted: bool, hostile: Path, servers: Servers
) -> None:
    ours, theirs = servers
    result = run(hostile, ours, {login: "the-users-own"}, trust_project=trusted)
    assert result.outcome is AgentOutcome.API_ERROR
    assert theirs.requests == []
    assert ours.requests
    header, value = {
        "ANTHROPIC_API_KEY": ("x-api-key", "the-users-own"),
        "ANTHROPIC_AUTH_TOKEN": ("authorization", "Bearer the-users-own"),
    }[login]
    for _, headers, _ in ours.requests:
        sent = {name: headers.get(name) for name in ("x-api-key", "authorization", "x-evil")}
        assert {name: word for name, word in sent.items() if word} == {header: value}
    assert "ran-helper" not in what_ran(hostile)


def test_of_an_untrusted_project_only_words_are_loaded(hostile: Path, servers: Servers) -> None:
    run(hostile, servers[0], {"ANTHROPIC_API_KEY": "k"}, trust_project=False)
    assert what_ran(hostile) == set()
    bodies = [body for path, _, body in servers[0].requests if "/messages" in path]
    assert bodies
    for body in bodies:
        assert body.count("Words of CLAUDE.md, once.") == 1
        assert body.count("Words of a rule, once.") == 1


def instructions(server: Recorder) -> str:
    bodies = [body for path, _, body in server.requests if "/messages" in path]
    assert bodies
    return bodies[-1]


@pytest.mark.parametrize("name", ["project", "my pro(j) é#x"])
def test_an_untrusted_projects_agents_md_is_loaded_while_it_has_no_claude_md(
    name: str, hostile: Path, servers: Servers
) -> None:
    (hostile / "CLAUDE.md").unlink()
    hostile = hostile.rename(hostile.parent / name)
    login = {"ANTHROPIC_API_KEY": "k"}
    (hostile / "docs").mkdir()
    (hostile / "docs" / "more.md").write_text("Words that it imports.", encoding="utf-8")
    (hostile / "AGENTS.md").write_text("Words of AGENTS.md.\n@docs/more.md\n", encoding="utf-8")
    (hostile / ".claude" / "AGENTS.md").write_text("Words of the other.\n", encoding="utf-8")
    words = ("Words of AGENTS.md.", "Words that it imports.", "Words of the other.")
    run(hostile, servers[0], login, trust_project=False, agents_files=find_active_agents_md)
    said = instructions(servers[0])
    assert [said.count(each) for each in words] == [1, 1, 1]
    assert what_ran(hostile) == set()
    (hostile / "CLAUDE.md").write_text("Words of CLAUDE.md, once.\n", encoding="utf-8")
    run(hostile, servers[0], login, trust_project=False, agents_files=find_active_agents_md)
    said = instructions(servers[0])
    assert [said.count(each) for each in (*words, "Words of CLAUDE.md, once.")] == [0, 0, 0, 1]


def test_an_agents_md_that_leads_out_of_the_project_is_not_sent(
    hostile: Path, servers: Servers, tmp_path: Path
) -> None:
    (hostile / "CLAUDE.md").unlink()
    (tmp_path / "secret").write_text("A secret of this machine.", encoding="utf-8")
    (hostile / "AGENTS.md").symlink_to(tmp_path / "secret")
    run(
        hostile,
        servers[0],
        {"ANTHROPIC_API_KEY": "k"},
        trust_project=False,
        agents_files=find_active_agents_md,
    )
    assert "A secret of this machine." not in instructions(servers[0])


def test_a_trusted_project_runs_what_preflight_says_and_nothing_stays(
    hostile: Path, servers: Servers
) -> None:
    run(hostile, servers[0], {"ANTHROPIC_API_KEY": "k"}, trust_project=True)
    assert {"ran-hook", "ran-local-hook"} <= what_ran(hostile)
    pids = [int(word) for word in (hostile / "pids").read_text(encoding="utf-8").split()]
    assert pids
    for pid in pids:
        if psutil.pid_exists(pid):
            assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_what_a_project_would_run_is_said(hostile: Path, project: Path) -> None:
    said = "\n".join(describe_project_settings(hostile))
    for words in (
        "settings.json: hook on SessionStart, `touch ran-hook",
        "settings.local.json: hook on UserPromptSubmit, `touch ran-local-hook`",
        ".mcp.json: MCP server helpful, `sh -c touch ran-server",
        "apiKeyHelper, which is pinned",
        "sets ANTHROPIC_BASE_URL, which is pinned",
        "sets ANTHROPIC_AUTH_TOKEN, which is pinned",
        "allows without asking: Bash(touch *)",
    ):
        assert words in said
    assert what_ran(hostile) == set()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"x"', '{"hooks": 3}', '{"hooks": {"Stop": [1, {"hooks": "x"}]}}',
     '{"env": []}', '{"permissions": {"allow": "Bash"}}', '{"mcpServers": []}', "[" * 100_000],
)  # fmt: skip
def test_settings_that_are_broken_are_no_trouble(text: str, project: Path) -> None:
    (project / ".claude").mkdir()
    for name in (".claude/settings.json", ".mcp.json"):
        (project / name).write_text(text, encoding="utf-8")
    assert describe_project_settings(project) == ()


def test_a_terminal_is_not_steered_by_what_is_said(project: Path) -> None:
    (project / ".mcp.json").write_text(
        '{"mcpServers": {"\\u001b[2Jx\\ny": {"command": "\\u202e' + "z" * 999 + '"}}}',
        encoding="utf-8",
    )
    (line,) = describe_project_settings(project)
    assert line.isprintable()
    assert len(line) <= 200


@pytest.mark.skipif(bool(shutil.which("bwrap")), reason="the sandbox is available here")
def test_a_sandbox_that_must_be_there_and_is_not_stops_the_run(
    project: Path, servers: Servers
) -> None:
    sandbox = {"enabled": True, "failIfUnavailable": True}
    result = run(project, servers[0], {"ANTHROPIC_API_KEY": "k"}, sandbox=sandbox)
    assert result.outcome is AgentOutcome.CRASHED
    assert "sandbox" in result.message.lower()
    assert servers[0].requests == []
