"""Use of a project's own `orchestrator.yaml` only what is harmless or what the user has trusted.

A command that would use another setting stops before anything is started.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.config import Choice, LoadedConfig, Override, load_config
from orchestrator.config.addresses import hide_json_secrets
from orchestrator.config.choices import select_effective
from orchestrator.errors import UntrustedError, UsageError
from orchestrator.masking import mask_text
from orchestrator.platform.project_commands import format_project_command
from orchestrator.storage.state_directory import resolve_state_directory
from orchestrator.storage.trust_store import TrustStore

TEACHING: Final = (
    *("teacher.", "n8n.", "failure_", "redaction.", "learning.", "rules.", "limits."),
)
"""Prefixes of the settings that matter where only a teacher is asked."""
RULES: Final = ("learning.approval", "rules.")
"""Prefixes of the settings that matter where only rules are managed."""

_LONGEST_SHOWN: Final = 2000
"""Most characters of a value in an error; `orchestrator trust` shows all of it."""


def load_trusted_config(
    project: Path,
    file: Path | None,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
    *,
    state: Path | None = None,
    of: Sequence[str] = (),
) -> LoadedConfig:
    """Read the configuration for a project, with those of its own settings that the user trusts.

    Args:
        project: the project's real path.
        file: the file that the user named, which is trusted as it is.
        overrides: values from the command line.
        environment: the environment; that of this process if None.
        state: the state directory; the user's if None.
        of: prefixes of the settings that the command uses; all if empty. Others are withheld.

    Raises:
        UntrustedError: the project's own file has settings that the user has not trusted.
        ConfigError: the configuration is wrong.
    """
    loaded = load_known_config(project, file, overrides, environment, state=state)
    if asked := select_effective(loaded.withheld, of):
        raise _build_error(project, loaded, asked)
    return loaded


def load_known_config(
    project: Path,
    file: Path | None,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
    *,
    state: Path | None = None,
) -> LoadedConfig:
    """Read the configuration without an error for what is not trusted; see `withheld`."""
    store = TrustStore(state or resolve_state_directory())

    def is_trusted(choice: Choice) -> bool:
        return store.is_trusted(project, choice.key, choice.text)

    return load_config(project, file, overrides, environment, is_trusted)


def trust_values(project: Path, texts: Mapping[str, str], state: Path | None = None) -> None:
    """Remember that the user trusts these values of these settings for this project.

    Raises:
        LoopError: they cannot be stored.
    """
    TrustStore(state or resolve_state_directory()).remember(project, texts)


def list_digests(project: Path, choices: Sequence[Choice], state: Path) -> dict[str, str]:
    """Return the digests of trusted settings, by key, for `require_still_trusted`."""
    store = TrustStore(state)
    return {each.key: store.find_digest(project, each.key) for each in choices}


def require_still_trusted(project: Path, digests: Mapping[str, str], state: Path) -> None:
    """Check that the user still trusts the settings that a run was started with.

    Raises:
        UsageError: the trust in one was revoked, or is now for another value.
    """
    store = TrustStore(state)
    changed = [key for key, each in digests.items() if store.find_digest(project, key) != each]
    if changed:
        raise UsageError(
            f"the run was started with settings that you no longer trust: {', '.join(changed)}",
            "start a new run",
        )


def _build_error(project: Path, loaded: LoadedConfig, asked: Sequence[Choice]) -> UntrustedError:
    lines = [describe_choice(each) for each in asked]
    shown = [f"  {_shorten(line)}" for line in lines]
    which = "a setting" if len(asked) == 1 else f"{len(asked)} settings"
    it = "it" if len(asked) == 1 else "them"
    message = f"{loaded.file} asks for {which} that you have not trusted:"
    hint = f"to use {it}, run `{format_command(project)}`"
    return UntrustedError(
        "\n".join((message, *shown)),
        f"{hint}, or name the file with --config",
        project,
        {each.key: each.text for each in asked},
        [line for line in lines if line != _shorten(line)],
    )


def format_command(project: Path) -> str:
    """Return the command that shows what a project asks for, and asks whether to trust it."""
    return format_project_command("trust", project)


def describe_choice(choice: Choice) -> str:
    """Return key, value, and name and line of the file of a setting, without secrets."""
    text = f"{choice.key}: {choice.text}"
    masked = mask_text(f"{choice.key}: {hide_json_secrets(choice.key, choice.text)}")
    # A part that looks like a secret may be something else that nobody should trust unseen.
    note = "" if masked == text else ", parts are masked: read them there"
    return f"{masked} ({Path(choice.origin).name}{note})"


def _shorten(text: str) -> str:
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"{text[:_LONGEST_SHOWN]}... and {len(text) - _LONGEST_SHOWN} more characters"
