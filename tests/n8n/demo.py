"""`make demo-n8n`: the loop learns through a real n8n, for a person to watch.

Claude Code, pytest, git and n8n with the shipped workflow are real. The model is the script of
`orchestrator demo`, which fixes the bug only if the rule is in the request.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from orchestrator.cli.console import Console
from orchestrator.config import Override
from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer, load_scenario
from orchestrator.replay.scenario import Speaker
from orchestrator.services.demo import RULE, TASK
from orchestrator.services.runs import start_run
from tests.n8n.server import ROOT, TOKEN, N8n


def main() -> int:
    """Return 0 if the rule came through n8n into CLAUDE.md and the second attempt passed."""
    with tempfile.TemporaryDirectory(prefix="demo-n8n-") as name:
        folder = Path(name).resolve()
        project = folder / "project"
        shutil.copytree(
            ROOT / "example_project", project, ignore=shutil.ignore_patterns("__pycache__")
        )
        subprocess.run(["git", "init", "-q"], cwd=project, check=True)
        python = shlex.quote(sys.executable)
        scenario = load_scenario(ROOT / "orchestrator" / "data" / "demo.yaml")
        with ReplayServer(scenario, variables={"project": str(project), "python": python}) as model:
            server = N8n(folder / "n8n", model.url)
            click.echo("Importing the shipped workflow and starting n8n (half a minute) ...")
            try:
                server.import_workflows("prompt-learning-teacher")
                server.start()
                click.echo(f"The workflow answers at {server.webhook}\n")
                return _learn(server, model, project, folder)
            finally:
                server.stop()


def _learn(server: N8n, model: ReplayServer, project: Path, folder: Path) -> int:
    settings = {
        "teacher.mode": "webhook",
        "n8n.webhook_url": server.webhook,
        "tests.command": f"{shlex.quote(sys.executable)} -m pytest tests/ -v --tb=short",
        "learning.max_retries": 1,
    }
    result = start_run(
        TASK,
        project,
        overrides=[Override(key, value, "demo") for key, value in settings.items()],
        listener=Console(),
        environment={
            **os.environ,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "the-demo-needs-no-key",
            "CLAUDE_CONFIG_DIR": str(folder / "claude"),
            "N8N_WEBHOOK_TOKEN": TOKEN,
            "NO_PROXY": "127.0.0.1",
        },
        state=folder / "state",
    )
    asked = [each for each in model.requests if each.speaker is Speaker.TEACHER]
    by_n8n = bool(asked) and all("anthropic" not in each.user_agent.lower() for each in asked)
    rulebook = project / "CLAUDE.md"
    findings = {
        f"n8n asked the model ({len(asked)} request, as {asked[0].user_agent!r})": by_n8n,
        "the rule is in CLAUDE.md": rulebook.is_file()
        and RULE in rulebook.read_text(encoding="utf-8"),
        "the next attempt passed, which the script allows only with the rule": (
            result.outcome is RunOutcome.SOLVED and len(result.attempts) == 2
        ),
    }
    click.echo("")
    for finding, holds in findings.items():
        click.echo(f"  {'yes' if holds else 'NO '}  {finding}")
    return 0 if all(findings.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
