"""Fill the n8n workflows that teach: their JSON is data, with holes for prompts and scripts.

The templates are in `teacher/n8n/`, in the layout that n8n exports; a hole is a value in angle
brackets, such as `<model>`. `fill_workflow` finds each hole by the name of its node and fills it
with the texts of the local teacher, so that both teachers ask the same question.

`n8n/` at the top of the repository has the filled workflows as they ship. After a change to a
template, a script or a prompt, write them again, or check that they are current:

    python -m teacher.workflow
    python -m teacher.workflow --check

To change a workflow in n8n's editor: import it, edit it, export it, and copy what changed into the
template. Node types and versions are those of n8n 2.39.10.

JSON has no comments, so the reasons for what is in the templates are here:

- `settings`: requests contain source code, so n8n is asked to drop every execution, failed ones
  too. Its database holds the data until n8n prunes it.
- `onError: continueRegularOutput` in each step of the memory: without the data table everything
  works, only a retry may be paid for twice.
- `... .json.id || 0` in Remember and Forget: no row has the id 0, so nothing matches when the
  request could not be registered.
- Other answer: three nodes can lead to it, and an expression may only read a node that was
  executed.
- Claude has a timeout of 45 s, less than the client's default `n8n.timeout`, so that the workflow
  can still answer; `IN_PROGRESS_MS` in `decide.js` is longer than it.
- teach: the tool starts this same workflow, at its second trigger.
- Credentials are expressions that read n8n's environment, so the file contains no secret.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from teacher.answer import ANSWER_SCHEMA
from teacher.catalog import DEFAULT_MODEL
from teacher.models import FailureType
from teacher.prompt import QUESTION, UNTRUSTED_DATA_NOTICE, read_shared_prompt, read_type_prompt

Workflow = dict[str, Any]

NAME: Final = "prompt-learning-teacher"
"""The webhook workflow's name, its file, and the path of its webhook."""
MCP_NAME: Final = "prompt-learning-teacher-mcp"
"""The MCP variant's name, its file, and the path of its server."""
CREDENTIALS_NAME: Final = "credentials"
"""The file with both credentials, as `n8n import:credentials` expects it."""

_SCRIPTS: Final = {
    "Question": "question.js",
    "Decide": "decide.js",
    "Lesson": "lesson.js",
    "Cause": "cause.js",
}
"""The script of each code node."""
_FAILURE_TYPES_HOLE: Final = "<failure_types>"


@dataclass(frozen=True)
class Settings:
    """The values of the workflow's node "Settings"; a person may edit them in n8n."""

    model: str = DEFAULT_MODEL
    max_tokens: int = 1024
    prompts: Mapping[FailureType, str] | None = None
    """Other prompts for some types of failure; see `teacher.prompt.build_system_prompt`."""


def build_webhook_workflow(settings: Settings | None = None) -> Workflow:
    """Return the workflow that answers `teacher.webhook`.

    Raises:
        TeacherMisconfigured: one of the prompts does not exist.
    """
    return fill_workflow(_read_template(NAME), settings or Settings())


def build_mcp_workflow(settings: Settings | None = None) -> Workflow:
    """Return the workflow that offers the teacher as a tool to MCP clients such as Claude Code.

    Raises:
        TeacherMisconfigured: one of the prompts does not exist.
    """
    return fill_workflow(_read_template(MCP_NAME), settings or Settings())


def build_credentials() -> list[dict[str, Any]]:
    """Return both credentials, without a secret."""
    credentials: list[dict[str, Any]] = _read_template(CREDENTIALS_NAME)
    return credentials


def fill_workflow(workflow: Workflow, settings: Settings) -> Workflow:
    """Fill the holes of a workflow in place, and return it.

    Args:
        workflow: a template with the node "Settings".
        settings: what to fill it with.

    Raises:
        TeacherMisconfigured: one of the prompts does not exist.
        KeyError: the template lacks a setting.
    """
    parameters = {node["name"]: node["parameters"] for node in workflow["nodes"]}
    assignments = {
        each["name"]: each for each in parameters["Settings"]["assignments"]["assignments"]
    }
    for name, value in _list_setting_values(settings).items():
        assignments[name]["value"] = value
    for node in _SCRIPTS.keys() & parameters.keys():
        parameters[node]["jsCode"] = _read_file(_SCRIPTS[node])
    if "teach" in parameters:
        inputs = parameters["teach"]["workflowInputs"]["value"]
        inputs["failure_type"] = inputs["failure_type"].replace(
            _FAILURE_TYPES_HOLE, ", ".join(FailureType)
        )
    return workflow


def format_json(value: object) -> str:
    """Return a workflow as the text of its file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def render_files() -> dict[str, str]:
    """Return the text of each file of `n8n/`, by its name."""
    return {
        f"{NAME}.json": format_json(build_webhook_workflow()),
        f"{MCP_NAME}.json": format_json(build_mcp_workflow()),
        f"{CREDENTIALS_NAME}.json": format_json(build_credentials()),
    }


def _list_setting_values(settings: Settings) -> dict[str, str | int]:
    """Return the value of each assignment in the node "Settings", by its name."""
    prompts = {
        f"prompt_{type_}": read_type_prompt(type_, settings.prompts) for type_ in FailureType
    }
    return {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "prompt_shared": read_shared_prompt(),
        **prompts,
        "outside": UNTRUSTED_DATA_NOTICE,
        "question": QUESTION,
        "schema": json.dumps(ANSWER_SCHEMA),
    }


def _read_template(name: str) -> Any:  # noqa: ANN401 -- JSON
    return json.loads(_read_file(f"{name}.json"))


def _read_file(name: str) -> str:
    return (files("teacher") / "n8n" / name).read_text(encoding="utf-8")


def _main(arguments: Sequence[str]) -> int:
    """Write the files of `n8n/`, or with `--check` print which of them are out of date."""
    folder = Path(__file__).parent.parent / "n8n"
    stale = [
        name
        for name, text in render_files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"n8n/{name} is out of date: run `python -m teacher.workflow`\n")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name, text in render_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
