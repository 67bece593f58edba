"""`python -m orchestrator.replay` as a person runs it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.replay.__main__ import main


def test_serves_until_ctrl_c(tmp_path: Path) -> None:
    path = tmp_path / "it.yaml"
    path.write_text("answers: [{name: hi, reply: {say: 'for ${who}'}}]", encoding="utf-8")
    argv = [sys.executable, "-m", "orchestrator.replay", str(path), "--var", "who=you"]
    with subprocess.Popen(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hey"}]}
            data = json.dumps(body).encode()
            with urllib.request.urlopen(f"{url}/v1/messages", data, timeout=30) as answer:  # noqa: S310 -- our own server
                assert json.load(answer)["content"][0]["text"] == "for you"
            line = server.stdout.readline()
            server.send_signal(signal.SIGINT)
            _out, err = server.communicate(timeout=30)
        finally:
            server.kill()
    assert line == "1: teacher, step 0, m, last text \"hey\" -> answer 'hi' at line 1\n"
    assert (server.returncode, err) == (0, "stopped after 1 request\n")


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("answers: 3", [], "it.yaml, line 1: scenario: `answers` must be a valid list"),
        ("answers: [{reply: {say: '${a}'}}]", [], "unknown placeholder ${a}"),
        ("answers: [{reply: {say: x}}]", ["--var", "a"], "'a' is not NAME=VALUE"),
    ],
)
def test_bad_input_is_one_clear_line(
    text: str, options: list[str], complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "it.yaml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, [str(path), *options])
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output
