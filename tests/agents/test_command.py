"""What is particular to programs that are driven by an argv template."""

import sys
from pathlib import Path

import pytest

from orchestrator.agents.command import CommandAgent
from orchestrator.errors import InfrastructureError
from orchestrator.events import AgentSpoke, Event
from orchestrator.models import AgentLimits, AgentOutcome

LIMITS = AgentLimits(wall_clock_seconds=30, no_output_seconds=30)


def ignore(_event: Event) -> None:
    pass


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-X", "utf8", "-c", f"import os, sys\n{code}", *arguments]


KEEP = "open('seen', 'w', encoding='utf-8', newline='').write(prompt)"


@pytest.mark.parametrize(
    "template",
    [
        python(f"prompt = sys.argv[1]; {KEEP}", "{prompt}"),
        python(f"prompt = sys.argv[2].removeprefix('-m='); {KEEP}", "x", "-m={prompt}"),
        python(f"prompt = open(sys.argv[1], encoding='utf-8').read(); {KEEP}", "{prompt_file}"),
        python(f"prompt = sys.stdin.read(); {KEEP}"),
    ],
    ids=["argument", "part of an argument", "file", "standard input"],
)
@pytest.mark.parametrize("prompt", ["-x\nÄ {prompt} {prompt_file} $HOME `ls`", "y" * 100_000])
def test_the_prompt_arrives_by_each_road(template: list[str], prompt: str, project: Path) -> None:
    result = CommandAgent(template).run(prompt, project, LIMITS, ignore)
    assert result.outcome is AgentOutcome.COMPLETED
    assert (project / "seen").read_text("utf-8") == prompt


def test_the_prompt_file_stands_outside_the_project_and_goes_away(project: Path) -> None:
    agent = CommandAgent(python("print(sys.argv[1])", "{prompt_file}"))
    result = agent.run("hello", project, LIMITS, ignore)
    assert not Path(result.message).exists()
    assert not Path(result.message).is_relative_to(project)
    assert list(project.iterdir()) == []


def test_what_it_prints_is_told_line_by_line_without_escape_sequences(project: Path) -> None:
    events: list[Event] = []
    code = r"sys.stdout.buffer.write(b'one\n\n\x1b[31mtwo\x07 \xff\nthree')"
    result = CommandAgent(python(code)).run("x", project, LIMITS, events.append)
    assert events == [AgentSpoke("one"), AgentSpoke("[31mtwo \ufffd"), AgentSpoke("three")]
    assert result.message == "one / [31mtwo \ufffd / three"


def test_a_failure_says_the_code_and_the_last_lines(project: Path) -> None:
    agent = CommandAgent(python("print('out'); print('why', file=sys.stderr); sys.exit(3)"))
    result = agent.run("x", project, LIMITS, ignore)
    assert result.outcome is AgentOutcome.CRASHED
    assert result.message == f"{sys.executable} exited with 3: why"
    assert result.stderr_tail == "why\n"


def test_a_session_can_tell_that_it_is_ours(project: Path) -> None:
    agent = CommandAgent(python("print(os.environ['ORCHESTRATOR_RUN'])"), environment={"A": "b"})
    assert agent.run("x", project, LIMITS, ignore).message == "1"


@pytest.mark.parametrize("template", [[], ["no-such-agent", "{prompt}"]])
def test_a_missing_program_is_said_before_the_run(template: list[str]) -> None:
    with pytest.raises(InfrastructureError, match=r"agent\.command"):
        CommandAgent(template).preflight()


def test_a_prompt_that_is_too_long_for_an_argument_names_the_other_roads(project: Path) -> None:
    agent = CommandAgent(python("pass", "{prompt}"))
    with pytest.raises(InfrastructureError, match=r"\{prompt_file\}"):
        agent.run("x" * 10_000_000, project, LIMITS, ignore)
