"""List what a project asks for that needs the user's trust.

Two kinds of settings are trusted, each for one project and one value: those of its
`orchestrator.yaml`, without which a command stops, and its settings for Claude Code, which are not
loaded otherwise.
"""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.agents.claude_project_trust import list_risky_settings
from orchestrator.services.trust import describe_choice, load_known_config
from orchestrator.session_hooks.settings import build_hook_command
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.storage.trust_store import TrustStore


@dataclass(frozen=True)
class Request:
    """A setting of a project that is used only if the user trusts it."""

    key: str
    text: str
    """The whole value. Empty if it is too long to be trusted."""
    lines: tuple[str, ...]
    """What is shown: the value with its origin; or the file, and what it would run."""
    is_trusted: bool


def list_requests(project: Path, state: Path | None = None) -> list[Request]:
    """Return what a project asks for: settings of its own file, and of Claude Code."""
    store = TrustStore(state or resolve_state_directory())
    loaded = load_known_config(project, None, state=state)
    choices = [(each, True) for each in loaded.trusted] + [
        (each, False) for each in loaded.withheld
    ]
    found = [
        Request(choice.key, choice.text, (describe_choice(choice),), trusted)
        for choice, trusted in choices
    ]
    for each in list_risky_settings(project, (build_hook_command(),)):
        trusted = store.is_trusted(project, each.key, each.text)
        head = f"{each.key}, for Claude Code" if each.text else f"{each.key}: too large"
        found.append(Request(each.key, each.text, (head, *each.effects), trusted))
    return found


def list_untrusted_claude_settings(home: Path, folder: Path, state: Path) -> list[str]:
    """Return which settings for Claude Code the user has not trusted, as paths in the project.

    Args:
        home: the project that the user trusts.
        folder: the folder that Claude Code works in: the project or a work tree of it.
        state: the state directory.
    """
    store = TrustStore(state)
    return [
        each.key
        for each in list_risky_settings(folder, (build_hook_command(),))
        if not (each.text and store.is_trusted(home, each.key, each.text))
    ]
