"""Check what a cron job or a hook of git would find: its PATH is not that of a shell."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.services.doctor.results import Check, Link, succeed, warn
from orchestrator.services.doctor.subject import Subject

_PATH: Final = "/usr/bin:/bin"
"""The PATH of cron: crontab(5)."""


def check_cron(subject: Subject) -> Iterator[Check]:
    """Check that git and Claude Code are found with the PATH that cron gives."""
    own = subject.environment.get("PATH", os.defpath)
    wanted = ["git"]
    if subject.config.agent.kind == "claude_code" and not find_bundled_program():
        wanted.append("claude")
    missing = {name: shutil.which(name, path=own) for name in wanted}
    missing = {n: p for n, p in missing.items() if p and not shutil.which(n, path=_PATH)}
    if not missing:
        claude = shutil.which("claude", path=_PATH) or "the one of the Python package"
        yield succeed(Link.CRON, f"with PATH={_PATH}: git is found, and as claude {claude}")
        return
    folders = dict.fromkeys(str(Path(path).parent) for path in missing.values() if path)
    yield warn(
        Link.CRON,
        f"a cron job would not find {' and '.join(missing)}",
        f"its PATH is {_PATH}; begin the crontab with this line",
        f"PATH={':'.join((*folders, _PATH))}",
    )
