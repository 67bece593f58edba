"""Report what a project's own files decide or run, before anything of it happens."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_project import describe_project_settings
from orchestrator.agents.wording import format_one_line
from orchestrator.config import Config, LoadedConfig
from orchestrator.events import Listener, Notice
from orchestrator.masking import mask_text

_LONGEST_CHOICE: Final = 2000
"""Most characters of a setting that are shown: enough that its end cannot be hidden easily."""


def report_project_choices(
    loaded: LoadedConfig, listener: Listener, of: Collection[str] = ()
) -> None:
    """Report settings of the project's own file that send or run something, or lower a guard.

    Args:
        loaded: the configuration, with the origin of each value.
        listener: receives a notice for each setting.
        of: prefixes of the settings to report; all if empty.
    """
    chosen = loaded.list_project_choices(of)
    if chosen:
        listener(Notice(f"this project's own {loaded.file} decides these for you:"))
    for each in chosen:
        line = each.origin.rpartition(":")[2]
        value = json.dumps(each.value, ensure_ascii=False)
        shown = format_one_line(mask_text(f"{each.key}: {value}"), _LONGEST_CHOICE)
        listener(Notice(f"  {shown} (line {line})"))


def report_project_commands(config: Config, project: Path, listener: Listener) -> None:
    """Report what the project's own settings for Claude Code run, and whether they are loaded."""
    found = describe_project_settings(project) if config.agent.kind == "claude_code" else ()
    if found:
        trusted = config.claude.trust_project
        listener(
            Notice(
                "this project brings settings for Claude Code, and they are loaded; "
                "claude.trust_project: false would not"
                if trusted
                else "this project's settings for Claude Code are not loaded "
                "(claude.trust_project: false)"
            )
        )
    for line in found:
        listener(Notice(f"  {line}"))
