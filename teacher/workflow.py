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
  too. n8n's editor drops these settings on import, so a sticky note asks for them.
- `onError: continueRegularOutput` in each step of the memory: without the data table everything
  works, only a retry may be paid for twice.
- `... .json.id || 0` in Remember answer and Forget request: no row has the id 0, so nothing
  matches when the request could not be registered.
- `.first(0)`: without a number, n8n takes the output that leads to the node that reads, which is
  the error output in Explain failure and behind it.
- Explain failure and Add memory key are Set nodes, which n8n itself evaluates: they work without
  the task runner, which executes Code nodes and stops before n8n does.
- Without a task runner, a Code node's error output is not used: n8n goes on with the node's input
  at its first output. The steps behind each Code node notice that: Add memory key finds no
  `memory_text`, Needs Claude? no `ask`, Is it a lesson? no `status`.
- Needs Claude? is a Switch: its "no" has to be above its "yes" for the wires not to cross.
- Create memory and the two nodes after it keep the table and the columns of version 1.
- teach: the tool starts this same workflow, at its second trigger.
- Credentials are expressions that read n8n's environment, so the file contains no secret. Without
  the variable the token is undefined, and n8n refuses everybody; `'Bearer ' + undefined` is a
  text that a stranger can send.
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from teacher.answer import ANSWER_SCHEMA, MAX_DEPTH, MAX_SENTENCE
from teacher.catalog import DEFAULT_MODEL
from teacher.models import Action, FailureType
from teacher.prompt import QUESTION, UNTRUSTED_DATA_NOTICE, read_shared_prompt, read_type_prompt

Workflow = dict[str, Any]

NAME: Final = "prompt-learning-teacher"
"""The webhook workflow's name, its file, and the path of its webhook."""
MCP_NAME: Final = "prompt-learning-teacher-mcp"
"""The MCP variant's name, its file, and the path of its server."""
CREDENTIALS_NAME: Final = "credentials"
"""The file with both credentials, as `n8n import:credentials` expects it."""

WORKFLOW_VERSION: Final = 2
"""The version of both workflows, raised with each change that a person who imported one wants to
have. It stands in the node "Settings" and in every answer; workflows without it are version 1."""

_SCRIPTS: Final = {
    "Build request": "question.js",
    "Decide": "decide.js",
    "Read lesson": "lesson.js",
}
"""The script of each Code node, which n8n's task runner executes."""
_EXPRESSIONS: Final = {"Explain failure": "explain.js"}
"""The expression of each Set node that returns JSON; n8n itself evaluates it."""
_SCRIPT_HOLES: Final = {
    "actions": [str(action) for action in Action],
    "max_sentence": MAX_SENTENCE,
    "max_depth": MAX_DEPTH,
}
"""The values that scripts share with `teacher.answer`."""
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What JSON allows in a text, but terminals obey or UTF-8 cannot encode."""
_FAILURE_TYPES_HOLE: Final = "<failure_types>"
_VERSION_HOLE: Final = "<version>"


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
        parameters[node]["jsCode"] = fill_script(_SCRIPTS[node])
    for node in _EXPRESSIONS.keys() & parameters.keys():
        parameters[node]["jsonOutput"] = f"={{{{ {_read_file(_EXPRESSIONS[node]).strip()} }}}}"
    for each in parameters.values():
        if "content" in each:  # of a sticky note
            each["content"] = each["content"].replace(_VERSION_HOLE, str(WORKFLOW_VERSION))
    if "teach" in parameters:
        inputs = parameters["teach"]["workflowInputs"]["value"]
        inputs["failure_type"] = inputs["failure_type"].replace(
            _FAILURE_TYPES_HOLE, ", ".join(FailureType)
        )
    return workflow


def digest_setting(value: object) -> str:
    """Return the digest of a setting's value, to recognize later whether a person has edited it.

    The node "Settings" has the digests of the values that it was shipped with, in `shipped`.
    """
    text = value if isinstance(value, str) else json.dumps(value)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:12]


def fill_script(name: str) -> str:
    """Return a script with the limits of the local teacher instead of its holes.

    A hole is a text such as `'<max_sentence>'`, quotes included, so that a script with holes is
    JavaScript, too.
    """
    text = _read_file(name)
    for hole, value in _SCRIPT_HOLES.items():
        text = text.replace(f"'<{hole}>'", json.dumps(value))
    return text


def format_json(value: object) -> str:
    """Return a workflow as the text of its file."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def render_files() -> dict[str, str]:
    """Return the text of each file of `n8n/`, by its name."""
    return {
        f"{NAME}.json": format_json(build_webhook_workflow()),
        f"{MCP_NAME}.json": format_json(build_mcp_workflow()),
        f"{CREDENTIALS_NAME}.json": format_json(build_credentials()),
    }


def _list_setting_values(settings: Settings) -> dict[str, str | int]:
    """Return the value of each assignment in the node "Settings", by its name."""
    editable = _list_editable_values(settings)
    digests = {name: digest_setting(value) for name, value in editable.items()}
    return {"version": WORKFLOW_VERSION, **editable, "shipped": json.dumps(digests)}


def _list_editable_values(settings: Settings) -> dict[str, str | int]:
    prompts = {
        f"prompt_{type_}": read_type_prompt(type_, settings.prompts) for type_ in FailureType
    }
    return {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "base_url": "",
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
