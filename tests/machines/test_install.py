"""What a person sees of an install; the lines are pip's own, of a real install."""

from tests.machines.install import Progress, follow

OF_PIP = """\
Obtaining file:///srv/project
  Preparing editable metadata (pyproject.toml): started
Collecting anthropic<3,>=2.11 (from prompt-learning-loop==0.1.0)
  Using cached anthropic-2.14.0-py3-none-any.whl (2.7 MB)
Collecting claude-agent-sdk<0.3,>=0.2.186 (from prompt-learning-loop==0.1.0)
  Downloading claude_agent_sdk-0.2.189-py3-none-manylinux_2_17_x86_64.whl (177.8 MB)
Progress 0 of 177800000
Progress 88900000 of 177800000
Progress 177800000 of 177800000
Collecting click<9,>=8.2 (from prompt-learning-loop==0.1.0)
  Downloading click-8.5.1-py3-none-any.whl (126 kB)
Requirement already satisfied: rich in ./.venv/lib/python3.11/site-packages
Installing collected packages: click, claude-agent-sdk, anthropic
Successfully installed anthropic-2.14.0
"""


def test_progress_counts_what_arrives_and_what_was_there() -> None:
    seen = [str(news) for news in follow(OF_PIP.splitlines(keepends=True))]
    assert seen == [
        "  1 packages, 3 MB: anthropic",
        "  2 packages, 3 MB: claude_agent_sdk",
        "  2 packages, 3 MB: claude_agent_sdk",
        "  2 packages, 92 MB: claude_agent_sdk",
        "  2 packages, 180 MB: claude_agent_sdk",
        "  3 packages, 180 MB: click",
        "  3 packages are here; unpacking them",
    ]


def test_a_file_from_the_cache_is_told_apart() -> None:
    cached = [n.cached for n in follow(OF_PIP.splitlines()) if isinstance(n, Progress)]
    assert cached[0]
    assert not any(cached[1:])
