"""Report which of a project's own settings are used because the user has trusted them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_project import describe_project_settings
from orchestrator.agents.wording import format_one_line
from orchestrator.config import Config, LoadedConfig
from orchestrator.config.choices import select_effective
from orchestrator.events import Listener, Notice
from orchestrator.services.trust import describe_choice, format_command
from orchestrator.services.trust_requests import list_untrusted_claude_settings

_LONGEST_CHOICE: Final = 2000
"""Most characters of a setting that are shown: enough that its end cannot be hidden easily."""


def report_project_choices(
    loaded: LoadedConfig, listener: Listener, of: Sequence[str] = ()
) -> None:
    """Report settings of the project's own file that are not harmless, and that the user trusts.

    Args:
        loaded: the configuration, with the origin of each value.
        listener: receives a notice for each setting.
        of: prefixes of the settings to report; all if empty.
    """
    chosen = select_effective(loaded.trusted, of)
    if chosen:
        listener(Notice(f"you have trusted these settings of {loaded.file}:"))
    for each in chosen:
        listener(Notice(f"  {format_one_line(describe_choice(each), _LONGEST_CHOICE)}"))


def report_project_commands(
    config: Config, home: Path, folder: Path, state: Path, listener: Listener
) -> None:
    """Report what the project's own settings for Claude Code run, and whether they are loaded.

    Args:
        config: the configuration.
        home: the project that the user trusts.
        folder: the folder that Claude Code works in: the project or a work tree of it.
        state: the state directory.
        listener: receives the notices.
    """
    if config.agent.kind != "claude_code":
        return
    found = describe_project_settings(folder)
    withheld = list_untrusted_claude_settings(home, folder, state)
    if config.claude.trust_project is None and withheld:
        listener(Notice(describe_withheld_settings(home, withheld)))
    elif found:
        listener(
            Notice(
                "this project's settings for Claude Code are not loaded "
                "(claude.trust_project: false)"
                if config.claude.trust_project is False
                else "this project's settings for Claude Code are loaded; to leave them out, set "
                "claude.trust_project: false"
            )
        )
    for line in found:
        listener(Notice(f"  {line}"))


def describe_withheld_settings(home: Path, withheld: Sequence[str]) -> str:
    """Return why the project's settings for Claude Code are not loaded."""
    return (
        "this project's settings for Claude Code are not loaded, because you have not trusted "
        f"{', '.join(withheld)}: `{format_command(home)}` shows them and asks"
    )
