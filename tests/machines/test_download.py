"""What a person sees of a download; the lines are pip's own, of a real one."""

from pathlib import Path

import pytest

from tests.machines import download
from tests.machines.download import follow

OF_PIP = """\
Processing /srv/project
  Preparing metadata (pyproject.toml): started
Collecting anthropic<3,>=2.11 (from prompt-learning-loop==0.1.0)
  Downloading anthropic-2.14.0-py3-none-any.whl.metadata (28 kB)
  Using cached anthropic-2.14.0-py3-none-any.whl (2.7 MB)
Collecting claude-agent-sdk<0.3,>=0.2.186 (from prompt-learning-loop==0.1.0)
  Downloading claude_agent_sdk-0.2.189-py3-none-manylinux_2_17_x86_64.whl (177.8 MB)
Progress 0 of 177800000
Progress 88900000 of 177800000
Progress 177800000 of 177800000
Collecting click<9,>=8.2 (from prompt-learning-loop==0.1.0)
  File was already downloaded {there}
Requirement already satisfied: rich in ./.venv/lib/python3.11/site-packages
Saved ./build/downloads/anthropic-2.14.0-py3-none-any.whl
Successfully downloaded anthropic claude-agent-sdk
"""


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    there = tmp_path / "click-8.5.1-py3-none-any.whl"
    there.write_bytes(bytes(2_000_000))
    return OF_PIP.format(there=there).splitlines(keepends=True)


def test_progress_counts_what_arrives_and_what_was_there(lines: list[str]) -> None:
    assert [str(now) for now in follow(lines)] == [
        "package 1, 3 MB: anthropic",
        "package 2, 3 MB: claude_agent_sdk",
        "package 2, 3 MB: claude_agent_sdk",
        "package 2, 92 MB: claude_agent_sdk",
        "package 2, 180 MB: claude_agent_sdk",
        "package 3, 182 MB: click",
    ]


def test_without_a_terminal_only_large_files_that_are_fetched_have_a_line(
    lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    announced: set[str] = set()
    for now in follow(lines):
        download.announce_large_file(now, announced)
    assert capsys.readouterr().out == "  downloading claude_agent_sdk, 178 MB\n"


def test_a_wheel_that_is_cut_short_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "click-8.5.1-py3-none-any.whl").write_bytes(b"PK\x03\x04 and no end")
    assert download.main(str(tmp_path), "--no-index", "no-such-package") == 1
    assert list(tmp_path.iterdir()) == []


def test_pips_exit_code_goes_through(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, nowhere = str(tmp_path / "out"), str(tmp_path / "nowhere")
    assert download.main(folder, "--no-index", "--find-links", nowhere, "no-such-package") == 1
    assert "no-such-package" in capfd.readouterr().err
