"""Write the property list of a launch agent for launchd, on macOS.

A time that was missed asleep is made up for once, at wake-up; one that was missed while the machine
was off is not (launchd.plist(5)). `RunAtLoad` starts the review at login too; `--due` decides.
"""

import plistlib
from pathlib import Path
from typing import Any, Final

from orchestrator.sessions.schedule.job import MARK, Job

LABEL: Final = "prompt-learning-loop.review"


def find_plist(home: Path) -> Path:
    """Return the path of the property list."""
    return home / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def render_plist(job: Job) -> str:
    """Return the text of the property list."""
    values: dict[str, Any] = {
        # launchd ignores keys that it does not know.
        "Comment": MARK,
        "Label": LABEL,
        "ProgramArguments": list(job.command),
        "EnvironmentVariables": dict(job.environment),
        "StartCalendarInterval": {"Hour": job.at.hour, "Minute": job.at.minute},
        "RunAtLoad": True,
        "ProcessType": "Background",
        "StandardOutPath": str(job.log),
        "StandardErrorPath": str(job.log),
        "Umask": 0o077,
    }
    return plistlib.dumps(values).decode()
