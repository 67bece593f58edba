"""Let a person edit the project's configuration in an editor of their choice."""

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from orchestrator.config import Choice
from orchestrator.config.loading import PROJECT_FILE
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform import files
from orchestrator.platform.popen import run_in_foreground
from orchestrator.services.trust import load_known_config

_EDITORS: Final = ("sensible-editor", "nano", "vim", "vi")
"""Editors that are tried where neither VISUAL nor EDITOR is set."""
_CHECK_HINT: Final = "edit {path} yourself, and check it: orchestrator config show"
TEMPLATE: Final = """\
# The settings of this project for `orchestrator`; each line below shows a default.
# Remove the `# ` of a section and of the lines in it that you want to change.
# All settings: orchestrator docs configuration

# tests:
#   command: pytest tests/ -v --tb=short
#   timeout: 120  # seconds for one run of the suite
# learning:
#   max_retries: 3  # attempts after the first one
# limits:
#   max_cost_usd: 10.0  # US dollars for a whole run
# claude:
#   max_turns: 15  # turns of one attempt
"""


class EditResult(Enum):
    """What became of the file."""

    UNCHANGED = "unchanged"
    CREATED = "created"
    CHANGED = "changed"


@dataclass(frozen=True)
class EditedConfig:
    """The configuration file after an editor has ended."""

    path: Path
    result: EditResult
    withheld: Sequence[Choice]
    """What has no effect until it is trusted."""


def edit_config(project: Path, environment: Mapping[str, str] | None = None) -> EditedConfig:
    """Open the project's `orchestrator.yaml` in an editor, and check it afterwards.

    A file that does not exist is created with comments; it is removed again if it was not changed.

    Raises:
        ConfigError: the file is not a valid configuration; it is left as it is.
        UsageError: the editor failed, or something else is in the place of the file.
        InfrastructureError: there is no editor, or the file cannot be written.
    """
    environment = os.environ if environment is None else environment
    editor = find_editor(environment)
    path = project / PROJECT_FILE
    before = files.read_whole_file(path)
    if before is None and (files.exists(path) or files.is_link(path)):
        raise UsageError(f"{path} is not a file", "remove what is in its place")
    if before is None:
        files.write_file(path, TEMPLATE.encode())
    try:
        run_editor(editor, path, _CHECK_HINT.format(path=path))
    finally:
        after = files.read_whole_file(path)
        is_template = before is None and after == TEMPLATE.encode()
        if is_template:
            path.unlink(missing_ok=True)
    if is_template:
        return EditedConfig(path, EditResult.UNCHANGED, ())
    withheld = load_known_config(project, None).withheld
    if after == before:
        result = EditResult.UNCHANGED
    else:
        result = EditResult.CREATED if before is None else EditResult.CHANGED
    return EditedConfig(path, result, withheld)


def find_editor(environment: Mapping[str, str]) -> list[str]:
    """Return the words of the command of a person's editor.

    Raises:
        UsageError: a variable that names it is no command.
        InfrastructureError: there is no editor.
    """
    for name in ("VISUAL", "EDITOR"):
        if command := environment.get(name, "").strip():
            try:
                return shlex.split(command)
            except ValueError as error:
                raise UsageError(f"{name}: {error}: {command}", f"set {name}, as in nano") from None
    if found := next(filter(shutil.which, _EDITORS), None):
        return [found]
    raise InfrastructureError("there is no editor", "set EDITOR, as in: export EDITOR=nano")


def run_editor(editor: list[str], path: Path, hint: str) -> None:
    """Open a file in an editor, and wait until it is closed.

    Args:
        editor: the words of the editor's command.
        path: the file.
        hint: what to do if the editor fails.

    Raises:
        UsageError: the editor failed.
        InfrastructureError: it cannot be started.
    """
    try:
        code = run_in_foreground([*editor, str(path)])
    except OSError as error:
        raise InfrastructureError(
            f"the editor {editor[0]} cannot be started: {error.strerror}",
            "set EDITOR, as in: export EDITOR=nano",
        ) from None
    if code:
        raise UsageError(
            f"the editor {editor[0]} ended with exit code {code}",
            hint,
        )
