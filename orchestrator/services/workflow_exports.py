"""Compare a workflow that was exported from n8n with this version's, and update it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.config import Config
from orchestrator.errors import UsageError
from teacher.workflow import (
    Settings,
    Workflow,
    build_credentials,
    build_mcp_workflow,
    build_webhook_workflow,
)
from teacher.workflow_changes import Comparison, compare_workflows, update_workflow
from teacher.workflow_export import (
    ExportedWorkflow,
    ExportError,
    find_workflow,
    has_open_token,
    is_credentials,
    parse_export,
)

_MOST_BYTES: Final = 32 * 1024 * 1024
_STANDARD_INPUT: Final = Path("-")


@dataclass(frozen=True)
class CredentialsComparison:
    """How exported credentials differ from those that this version prints."""

    is_open: bool
    """Whether a token has a known value where its variable is not set in n8n."""
    is_equal: bool
    """Whether the token is the expression that this version prints."""


@dataclass(frozen=True)
class UpdatedWorkflow:
    """A workflow of this version with a person's settings, and how theirs differed."""

    content: Workflow
    comparison: Comparison


def build_workflow(config: Config, *, mcp: bool) -> Workflow:
    """Return the workflow with the configured model and prompts.

    Raises:
        TeacherError: one of the prompts does not exist.
    """
    teacher = config.teacher
    settings = Settings(teacher.model, teacher.max_tokens, config.resolve_prompts())
    return build_mcp_workflow(settings) if mcp else build_webhook_workflow(settings)


def compare_export(config: Config, file: Path) -> Comparison | CredentialsComparison:
    """Return how an exported workflow, or exported credentials, differ from this version's.

    Raises:
        UsageError: the file cannot be read, or is not such an export.
        TeacherError: one of the prompts does not exist.
    """
    try:
        objects = parse_export(_read_file(file))
        if is_credentials(objects):
            return _compare_credentials(objects)
        exported = find_workflow(objects)
    except ExportError as error:
        raise _build_error(file, error) from None
    return compare_workflows(exported, _build_current(config, exported))


def update_export(config: Config, file: Path) -> UpdatedWorkflow:
    """Return this version's workflow with the settings that a person has edited in theirs.

    Raises:
        UsageError: the file cannot be read, is no exported workflow, or is of a later version.
        TeacherError: one of the prompts does not exist.
    """
    try:
        exported = find_workflow(parse_export(_read_file(file)))
    except ExportError as error:
        raise _build_error(file, error) from None
    current = _build_current(config, exported)
    if exported.version > current.version:
        raise UsageError(
            f"{_name_file(file)}: has version {exported.version} of the workflow, and this program "
            f"only version {current.version}",
            "update the orchestrator",
        )
    return UpdatedWorkflow(update_workflow(exported, current), compare_workflows(exported, current))


def _build_current(config: Config, exported: ExportedWorkflow) -> ExportedWorkflow:
    return ExportedWorkflow(build_workflow(config, mcp=exported.is_mcp))


def _compare_credentials(exported: list[dict[str, Any]]) -> CredentialsComparison:
    shipped = {each["type"]: each["data"] for each in build_credentials()}
    tokens = [each for each in exported if each["type"] == "httpHeaderAuth"]
    if not tokens or not all(isinstance(each["data"], dict) for each in tokens):
        raise ExportError(
            "has no header-auth credential that can be read",
            "export it with `n8n export:credentials --decrypted --id=ID --output=FILE`",
        )
    wanted = shipped["httpHeaderAuth"]["value"]
    same = all(each["data"].get("value") == wanted for each in tokens)
    return CredentialsComparison(has_open_token(exported), same)


def _read_file(file: Path) -> str:
    try:
        if file == _STANDARD_INPUT:
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with file.open("rb") as stream:
                data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{_name_file(file)}: cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{_name_file(file)}: is longer than {_MOST_BYTES // 1024 // 1024} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{_name_file(file)}: is not UTF-8 text", "export it again") from None


def _build_error(file: Path, error: ExportError) -> UsageError:
    return UsageError(f"{_name_file(file)}: {error.problem}", error.hint)


def _name_file(file: Path) -> str:
    return "standard input" if file == _STANDARD_INPUT else str(file)
