"""The script by which a real bash completes our commands and options."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call

needs_bash = pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")

_ASK = """
eval "$(orchestrator completion bash)"
COMP_WORDS=(%s)
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_orchestrator_completion orchestrator
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@needs_bash
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("orchestrator re", {"report-failure", "resume", "review"}),
        ("orchestrator rules ad", {"add", "adopt"}),
        ("orchestrator run --max-r", {"--max-retries"}),
        ("orchestrator foo ba", set()),
        ("orchestrator completion z", {"zsh"}),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, expected: set[str]) -> None:
    program = tmp_path / "orchestrator"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n', "utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "--norc", "-c", _ASK % line],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(call: Call, shell: str) -> None:
    done = call("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert f"_ORCHESTRATOR_COMPLETE={shell}_complete" in done.out
    assert f"completion {shell}" in call("completion", "--help").out
