"""The plan of a run is known without an agent: suite, limits, guard, and whose work is there."""

import json
import os
import subprocess
from pathlib import Path

from orchestrator.agents.claude_payer import SCRIPTED_KEY
from orchestrator.cli.plan_lines import iter_plan_parts
from orchestrator.config import Config
from orchestrator.services.plan import build_plan


def make_config(**tests: object) -> Config:
    return Config.model_validate({"tests": tests, "learning": {"max_retries": 0}})


def add_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def test_the_interpreter_behind_a_script_is_named(project: Path) -> None:
    add_program(project / ".venv/bin/python3", "#!/bin/sh\n")
    (project / ".venv/pyvenv.cfg").write_text("", encoding="utf-8")
    add_program(project / ".venv/bin/pytest", f"#!{project}/.venv/bin/python3\nimport pytest\n")
    plan = build_plan(make_config(command="pytest tests"), project, os.environ, payers="you")
    assert plan.program == ".venv/bin/python3"
    lines = dict(iter_plan_parts(plan))
    assert lines["Suite"] == (
        "pytest tests, run by .venv/bin/python3; time limit 2:00 min (tests.timeout)"
    )
    assert lines["Limits"].startswith("at most 1 attempt of 15 turns, $10.00 in all; paid by you")
    assert "Files" not in lines


def test_a_shell_line_and_a_missing_program_have_no_interpreter(project: Path) -> None:
    for command in ("cd sub && pytest", "nosuch-runner"):
        plan = build_plan(make_config(command=command), project, os.environ, payers="you")
        assert plan.program == ""
        assert dict(iter_plan_parts(plan))["Suite"].startswith(f"{command}; time limit")


def test_work_that_is_not_committed_is_counted(project: Path, home: Path) -> None:
    config = make_config(command="make test")
    assert build_plan(config, project, os.environ, payers="you").uncommitted_files is None
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    assert build_plan(config, project, os.environ, payers="you").uncommitted_files == 0
    (project / "a.txt").write_text("mine\n", encoding="utf-8")
    lines = dict(iter_plan_parts(build_plan(config, project, os.environ, payers="you")))
    assert lines["Files"] == (
        "1 file not committed; `orchestrator undo` brings it back as it is now"
    )
    assert (
        build_plan(config, project, os.environ, payers="you", resumed=True).uncommitted_files
        is None
    )


def test_nobody_pays_for_a_scripted_model(project: Path) -> None:
    environment = {**os.environ, "ANTHROPIC_API_KEY": SCRIPTED_KEY}
    plan = build_plan(make_config(command="make test"), project, environment, payers="you")
    assert plan.is_scripted
    assert "paid by nobody, because the model is scripted" in dict(iter_plan_parts(plan))["Limits"]


def test_the_key_of_a_scripted_model_may_be_in_the_settings_of_claude_code(
    project: Path, home: Path
) -> None:
    settings = {"env": {"ANTHROPIC_API_KEY": SCRIPTED_KEY}}
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude/settings.json").write_text(json.dumps(settings), encoding="utf-8")
    plan = build_plan(make_config(command="make test"), project, os.environ, payers="you")
    assert plan.is_scripted
