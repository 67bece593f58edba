"""What is particular to programs that are driven by an argv template."""

import sys
from pathlib import Path

import pytest

from orchestrator.agents.command import CommandAgent
from orchestrator.errors import InfrastructureError
from orchestrator.events import AgentSpoke, Event
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from tests.agents.endings import LIMITS as NOTICES
from tests.agents.endings import LOGINS, MENTIONS, Notice

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
    assert events == [AgentSpoke("one"), AgentSpoke("two \ufffd"), AgentSpoke("three")]
    assert result.message == "one / two \ufffd / three"


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


# ---- how a program says that it did not work -----------------------------------------------


def end_of(project: Path, said: str = "", error: str = "", code: int = 0) -> AgentResult:
    (project / "said").write_text(said, encoding="utf-8")
    (project / "error").write_text(error, encoding="utf-8")
    agent = CommandAgent(["sh", "-c", f"cat said; cat error >&2; exit {code}", "sh", "{prompt}"])
    return agent.run("x", project, LIMITS, ignore)


@pytest.mark.parametrize("notice", [*NOTICES, *LOGINS], ids=str)
def test_a_notice_is_known_on_each_stream(notice: Notice, project: Path) -> None:
    ends = [
        end_of(project, said=f"{notice.message}\n"),
        end_of(project, said=f"{notice.message}\n", error="\n", code=1),
        end_of(project, said="reads a.py\n", error=f"warning: x\n{notice.message}\n", code=1),
        end_of(project, error=f"credentials are loaded\n{notice.message}\n"),
    ]
    assert {each.outcome for each in ends} == {notice.outcome}
    assert {each.resets_at is not None for each in ends} == {notice.has_reset_time}
    assert {each.silent for each in ends} == {False}


def test_an_api_error_is_none_of_the_code(project: Path) -> None:
    said = 'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Busy"}}'
    for result in (end_of(project, said=said), end_of(project, error=said, code=1)):
        assert result.outcome is AgentOutcome.API_ERROR
        assert "overloaded_error: Busy" in result.message


@pytest.mark.parametrize("words", MENTIONS)
def test_last_words_about_limits_are_no_limit(words: str, project: Path) -> None:
    result = end_of(project, said=f"reads a.py\n{words}\n", error="You've hit your limit\n")
    assert result.outcome is AgentOutcome.COMPLETED
    assert end_of(project, said=words, code=1).outcome is AgentOutcome.CRASHED


def test_a_notice_below_other_words_is_the_answer_of_a_program_that_exits_with_0(
    project: Path,
) -> None:
    said = "The header now says:\nYou've hit your session limit · resets 3pm\n"
    assert end_of(project, said=said).outcome is AgentOutcome.COMPLETED
    assert end_of(project, said=said, code=1).outcome is AgentOutcome.USAGE_LIMIT


@pytest.mark.parametrize("error", ["\n", " \n\t\n", "\x1b[0m\n", "\x1b[?25h", "───\n"])
def test_standard_output_is_quoted_where_standard_error_says_nothing(
    error: str, project: Path
) -> None:
    result = end_of(project, said="no such model\n", error=error, code=2)
    assert result.message == "sh exited with 2: no such model"


@pytest.mark.parametrize("said", ["", "\n", "\x1b[0m\n"])
def test_a_program_that_exits_with_0_and_prints_nothing_is_silent(said: str, project: Path) -> None:
    result = end_of(project, said=said)
    assert (result.outcome, result.silent) == (AgentOutcome.COMPLETED, True)
    assert result.message == "sh exited with 0 and printed nothing on standard output"
    warned = end_of(project, said=said, error="deprecated\n")
    assert warned.silent
    assert warned.message.endswith("on standard error: deprecated")


def test_a_program_that_speaks_or_fails_is_not_silent(project: Path) -> None:
    assert not end_of(project, said="done").silent
    failed = end_of(project, code=1)
    assert (failed.outcome, failed.silent) == (AgentOutcome.CRASHED, False)
    assert failed.message == "sh exited with 1: it printed nothing"
