"""Every agent passes the same conformance suite."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from orchestrator.agents.command import CommandAgent
from orchestrator.agents.fake import ScriptedAgent, fail_with, hang_until_limit, write_files
from orchestrator.models import AgentOutcome
from tests.agents.claude import claude, fault, say, steps, use
from tests.agents.conformance import AgentConformance, Behaviour, Subject

PYTHON = shlex.quote(sys.executable)  # for a shell


class TestScriptedAgent(AgentConformance):
    starts_processes = False
    silence = 0.1

    @contextlib.contextmanager
    def subject(self, behaviour: Behaviour, workspace: Path) -> Iterator[Subject]:
        act = {
            Behaviour.EDIT: write_files({"made.txt": "made\n"}),
            Behaviour.HANG: hang_until_limit(),
            Behaviour.FAIL: fail_with(AgentOutcome.API_ERROR, "no such model", "no such model\n"),
        }[behaviour]
        agent = ScriptedAgent(act)
        yield Subject(agent, lambda: agent.prompts[-1])


class TestCommandAgent(AgentConformance):
    """A program that takes the prompt as an argument."""

    @contextlib.contextmanager
    def subject(self, behaviour: Behaviour, workspace: Path) -> Iterator[Subject]:
        work = {
            Behaviour.EDIT: 'open("made.txt", "w").write("made\\n"); print("made it")',
            Behaviour.HANG: "subprocess.run([sys.executable, 'family.py'])",
            Behaviour.FAIL: "sys.exit('no such model')",
        }[behaviour]
        seen = workspace.parent / "seen.txt"
        code = (
            "import subprocess, sys\n"
            f"open({str(seen)!r}, 'w', encoding='utf-8').write(sys.argv[1])\n{work}\n"
        )
        agent = CommandAgent([sys.executable, "-X", "utf8", "-c", code, "{prompt}"])
        yield Subject(agent, lambda: seen.read_text("utf-8"))


class TestClaudeCode(AgentConformance):
    """The real program; only its model is scripted."""

    silence = 5.0

    @contextlib.contextmanager
    def subject(self, behaviour: Behaviour, workspace: Path) -> Iterator[Subject]:
        scenario = {
            Behaviour.EDIT: steps(
                use("Write", file_path="${cwd}/made.txt", content="made\n"), say("made it")
            ),
            Behaviour.HANG: steps(use("Bash", command=f"{PYTHON} family.py"), say("done")),
            Behaviour.FAIL: fault(404),
        }[behaviour]
        allowed = (f"Bash({PYTHON} family.py)",)
        model = "no-such-model" if behaviour is Behaviour.FAIL else None
        with claude(scenario, allowed_tools=allowed, model=model) as (agent, replay):
            yield Subject(agent, lambda: "".join(request.text for request in replay.requests))
