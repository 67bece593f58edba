"""The n8n workflows that teach: importable JSON, made from the same texts as the local teacher's.

`n8n/` at the top of the repository holds them as shipped. Write them anew after a change here, in
`teacher/n8n/*.js` or in `prompts/`, or compare them:

    python -m teacher.workflow
    python -m teacher.workflow --check

Node types and versions are those of n8n 2.39.10.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from teacher.answer import ANSWER_SCHEMA
from teacher.catalog import DEFAULT_MODEL
from teacher.models import FailureType
from teacher.prompt import QUESTION, UNTRUSTED_DATA_NOTICE, read_shared_prompt, read_type_prompt

Json = dict[str, object]
Prompts = Mapping[FailureType, str]

NAME: Final = "prompt-learning-teacher"
"""The webhook workflow's name, and the path of its webhook."""
MCP_NAME: Final = "prompt-learning-teacher-mcp"
"""The MCP variant's name, and the path of its server."""
MODEL_SECONDS: Final = 45
"""How long the workflow waits for Claude: less than the client's default `n8n.timeout`."""

_MEMORY: Final = "prompt_learning_answers"
_MEMORY_HOURS: Final = 24
_TOKEN: Final = {"httpHeaderAuth": {"id": "promptLearnToken", "name": "Prompt Learning token"}}
_ANTHROPIC: Final = {"anthropicApi": {"id": "promptLearnClaud", "name": "Anthropic"}}

_TOOL_INPUTS: Final = {
    "failure_type": f"What kind of mistake: one of {', '.join(FailureType)}",
    "task_description": "What was to be done",
    "context": "What went wrong, in your own words, and what should have been known",
    "diff": "The changes that were wrong, as a unified diff; may be empty",
    "error_logs": "What the tests or tools printed; may be empty",
}
_TOOL_DESCRIPTION: Final = (
    "Ask the teacher what a mistake teaches. Answers with one rule for CLAUDE.md (rule, when, "
    "why), or says that there is nothing general to learn."
)


@dataclass(frozen=True)
class Settings:
    """What stands in the workflow's node "Settings"; a person may edit it there."""

    model: str = DEFAULT_MODEL
    max_tokens: int = 1024
    prompts: Prompts | None = None
    """Other prompts for some types of failure; see `teacher.prompt.build_system_prompt`."""


def build_webhook_workflow(settings: Settings | None = None) -> Json:
    """The workflow that answers `teacher.webhook`.

    Raises:
        TeacherMisconfigured: one of the prompts is not there.
    """
    trigger = _build_node(
        "Webhook",
        "n8n-nodes-base.webhook",
        2.1,
        (0, 0),
        {
            "httpMethod": "POST",
            "path": NAME,
            "authentication": "headerAuth",
            "responseMode": "responseNode",
            "options": {},
        },
        credentials=_TOKEN,
        webhookId=NAME,
    )
    nodes = [
        trigger,
        *_build_question_nodes("={{ $json.body }}", settings or Settings()),
        *_build_memory_nodes(),
        *_build_model_nodes(240, 320),
        _build_if_node("A lesson?", "={{ $json.status === 200 }}", (720, 320)),
        _build_row_node("Remember", "update", (960, 220), _match_own_row(), {"answer": _ANSWER}),
        _build_response_node("Answer", (1200, 220), "={{ $('Lesson').first().json.reply }}", 200),
        _build_row_node("Forget", "deleteRows", (960, 520), _match_own_row()),
        _build_cause_response("Other answer", (1200, 520)),
        _build_row_node("Forget old answers", "deleteRows", (1440, 320), _match_old_rows()),
        _build_note_node(_WEBHOOK_NOTE, (-60, -340), 680, 300),
        _build_note_node(_MEMORY_NOTE, (660, -200), 880, 160),
    ]
    links = {
        "Webhook": [["Settings"]],
        "Settings": [["Question"]],
        "Question": [["Memory"], ["Cause"]],
        "Memory": [["Register"]],
        "Register": [["Look up"]],
        "Look up": [["Decide"]],
        "Decide": [["Ask Claude?"]],
        "Ask Claude?": [["Claude"], ["Forget"]],
        "Claude": [["Lesson"], ["Cause"]],
        "Lesson": [["A lesson?"]],
        "A lesson?": [["Remember"], ["Forget"]],
        "Cause": [["Forget"]],
        "Remember": [["Answer"]],
        "Forget": [["Other answer"]],
        "Answer": [["Forget old answers"]],
        "Other answer": [["Forget old answers"]],
    }
    return _build_workflow("promptLearnTeach", NAME, nodes, _build_connections(links))


def build_mcp_workflow(settings: Settings | None = None) -> Json:
    """The workflow that offers the teacher as a tool to any MCP client, such as Claude Code.

    Raises:
        TeacherMisconfigured: one of the prompts is not there.
    """
    nodes = [
        _build_node(
            "MCP Server Trigger",
            "@n8n/n8n-nodes-langchain.mcpTrigger",
            2,
            (0, -240),
            {"path": MCP_NAME, "authentication": "headerAuth"},
            credentials=_TOKEN,
            webhookId=MCP_NAME,
        ),
        _build_tool_node("teach", (60, -20)),
        _build_node(
            "The tool was called",
            "n8n-nodes-base.executeWorkflowTrigger",
            1.1,
            (0, 240),
            {
                "workflowInputs": {
                    "values": [{"name": name, "type": "string"} for name in _TOOL_INPUTS]
                }
            },
        ),
        *_build_question_nodes("={{ $json }}", settings or Settings(), 240),
        *_build_model_nodes(720, 240),
        _build_node(
            "Reply",
            "n8n-nodes-base.set",
            3.4,
            (1200, 240),
            {"mode": "raw", "jsonOutput": "={{ $json.reply }}", "options": {}},
        ),
        _build_note_node(_MCP_NOTE, (340, -300), 640, 300),
    ]
    links = {
        "The tool was called": [["Settings"]],
        "Settings": [["Question"]],
        "Question": [["Claude"], ["Cause"]],
        "Claude": [["Lesson"], ["Cause"]],
        "Lesson": [["Reply"]],
        "Cause": [["Reply"]],
    }
    tool = {"teach": {"ai_tool": [[_build_link_target("MCP Server Trigger", "ai_tool")]]}}
    return _build_workflow(
        "promptLearnTeaMc", MCP_NAME, nodes, {**_build_connections(links), **tool}
    )


def build_credentials() -> list[Json]:
    """Both credentials as `n8n import:credentials` takes them.

    Every secret is an expression that reads n8n's environment; none stands in the file.
    """
    return [
        {
            **_TOKEN["httpHeaderAuth"],
            "type": "httpHeaderAuth",
            "data": {
                "name": "Authorization",
                "value": "={{ 'Bearer ' + $env.N8N_WEBHOOK_TOKEN }}",
            },
        },
        {
            **_ANTHROPIC["anthropicApi"],
            "type": "anthropicApi",
            "data": {
                "apiKey": "={{ $env.ANTHROPIC_API_KEY }}",
                "url": "={{ $env.ANTHROPIC_BASE_URL || 'https://api.anthropic.com' }}",
            },
        },
    ]


def format_json(value: object) -> str:
    """A workflow as it stands in its file."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def render_files() -> dict[str, str]:
    """Each file of `n8n/` and what has to stand in it."""
    return {
        f"{NAME}.json": format_json(build_webhook_workflow()),
        f"{MCP_NAME}.json": format_json(build_mcp_workflow()),
        "credentials.json": format_json(build_credentials()),
    }


# ---- the parts that both have --------------------------------------------------------------


def _build_question_nodes(asked: str, settings: Settings, y: int = 0) -> list[Json]:
    texts: dict[str, object] = {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "prompt_shared": read_shared_prompt(),
        **{f"prompt_{type_}": read_type_prompt(type_, settings.prompts) for type_ in FailureType},
        "outside": UNTRUSTED_DATA_NOTICE,
        "question": QUESTION,
    }
    kinds = {int: "number", str: "string"}
    values = [
        {"id": name, "name": name, "value": value, "type": kinds[type(value)]}
        for name, value in texts.items()
    ]
    schema = json.dumps(ANSWER_SCHEMA)
    values.append({"id": "schema", "name": "schema", "value": schema, "type": "object"})
    values.append({"id": "asked", "name": "asked", "value": asked, "type": "object"})
    return [
        _build_node(
            "Settings",
            "n8n-nodes-base.set",
            3.4,
            (240, y),
            {"assignments": {"assignments": values}, "options": {"ignoreConversionErrors": True}},
        ),
        _build_code_node("Question", "question.js", (480, y), onError="continueErrorOutput"),
    ]


def _build_model_nodes(x: int, y: int = 0) -> list[Json]:
    claude = _build_node(
        "Claude",
        "n8n-nodes-base.httpRequest",
        4.2,
        (x, y),
        {
            "method": "POST",
            "url": "={{ $('Question').first().json.url }}",
            "authentication": "predefinedCredentialType",
            "nodeCredentialType": "anthropicApi",
            "sendHeaders": True,
            "headerParameters": {
                "parameters": [{"name": "anthropic-version", "value": "2023-06-01"}]
            },
            "sendBody": True,
            "specifyBody": "json",
            "jsonBody": "={{ JSON.stringify($('Question').first().json.request) }}",
            "options": {
                "response": {"response": {"fullResponse": True, "neverError": True}},
                "redirect": {"redirect": {"followRedirects": False}},
                "timeout": MODEL_SECONDS * 1000,
            },
        },
        credentials=_ANTHROPIC,
        onError="continueErrorOutput",
    )
    return [
        claude,
        _build_code_node("Lesson", "lesson.js", (x + 240, y)),
        _build_code_node("Cause", "cause.js", (x + 240, y + 200)),
    ]


# ---- the memory of the webhook workflow ----------------------------------------------------

_ANSWER: Final = "={{ JSON.stringify($('Lesson').first().json.reply) }}"


def _build_memory_nodes() -> list[Json]:
    columns = [("key", "string"), ("at", "number"), ("answer", "string")]
    return [
        _build_node(
            "Memory",
            "n8n-nodes-base.dataTable",
            1.1,
            (720, 0),
            {
                "resource": "table",
                "operation": "create",
                "tableName": _MEMORY,
                "columns": {"column": [{"name": name, "type": kind} for name, kind in columns]},
                "options": {"createIfNotExists": True},
            },
            onError="continueRegularOutput",
        ),
        _build_row_node(
            "Register",
            "insert",
            (960, 0),
            values={
                "key": "={{ $('Question').first().json.key }}",
                "at": "={{ $('Question').first().json.at }}",
                "answer": "",
            },
        ),
        _build_row_node(
            "Look up",
            "get",
            (1200, 0),
            [("key", "eq", "={{ $('Question').first().json.key }}")],
            returnAll=True,
        ),
        _build_code_node("Decide", "decide.js", (1440, 0)),
        _build_if_node("Ask Claude?", "={{ $json.ask }}", (0, 320)),
    ]


def _match_own_row() -> list[tuple[str, str, str]]:
    # The id where the memory works; 0, which no row has, where it does not.
    return [("id", "eq", "={{ $('Register').isExecuted && $('Register').first().json.id || 0 }}")]


def _match_old_rows() -> list[tuple[str, str, str]]:
    return [("at", "lt", f"={{{{ Date.now() - {_MEMORY_HOURS} * 3600 * 1000 }}}}")]


def _build_row_node(
    name: str,
    operation: str,
    position: tuple[int, int],
    conditions: Sequence[tuple[str, str, str]] = (),
    values: Mapping[str, str] | None = None,
    **parameters: object,
) -> Json:
    """A step of the memory. Without the memory everything works, only a retry may cost twice."""
    given: Json = {
        "resource": "row",
        "operation": operation,
        "dataTableId": {"__rl": True, "mode": "name", "value": _MEMORY},
        **parameters,
    }
    if conditions:
        given["matchType"] = "allConditions"
        given["filters"] = {
            "conditions": [
                {"keyName": column, "condition": condition, "keyValue": value}
                for column, condition, value in conditions
            ]
        }
    if values is not None:
        kinds = {"at": "number"}
        given["columns"] = {
            "mappingMode": "defineBelow",
            "value": dict(values),
            "matchingColumns": [],
            "schema": [
                {
                    "id": column,
                    "displayName": column,
                    "type": kinds.get(column, "string"),
                    "required": False,
                    "defaultMatch": False,
                    "display": True,
                    "canBeUsedToMatch": True,
                    "readOnly": False,
                    "removed": False,
                }
                for column in values
            ],
        }
    return _build_node(
        name,
        "n8n-nodes-base.dataTable",
        1.1,
        position,
        given,
        onError="continueRegularOutput",
        alwaysOutputData=True,
    )


# ---- nodes ---------------------------------------------------------------------------------


def _build_node(
    name: str,
    kind: str,
    version: float,
    position: tuple[int, int],
    parameters: Json,
    **more: object,
) -> Json:
    return {
        "id": name.lower().replace(" ", "-").rstrip("?"),
        "name": name,
        "type": kind,
        "typeVersion": version,
        "position": list(position),
        "parameters": parameters,
        **more,
    }


def _build_code_node(name: str, file: str, position: tuple[int, int], **more: object) -> Json:
    script = (files("teacher") / "n8n" / file).read_text(encoding="utf-8")
    return _build_node(name, "n8n-nodes-base.code", 2, position, {"jsCode": script}, **more)


def _build_if_node(name: str, condition: str, position: tuple[int, int]) -> Json:
    truth = {"type": "boolean", "operation": "true", "singleValue": True}
    parameters: Json = {
        "conditions": {
            "combinator": "and",
            "options": {
                "caseSensitive": True,
                "leftValue": "",
                "typeValidation": "strict",
                "version": 2,
            },
            "conditions": [
                {"id": "c", "leftValue": condition, "rightValue": "", "operator": truth}
            ],
        },
        "options": {},
    }
    return _build_node(name, "n8n-nodes-base.if", 2.2, position, parameters)


def _build_response_node(
    name: str, position: tuple[int, int], body: str, status: int | str, headers: object = None
) -> Json:
    options: Json = {"responseCode": status}
    if headers:
        options["responseHeaders"] = {"entries": headers}
    parameters: Json = {"respondWith": "json", "responseBody": body, "options": options}
    return _build_node(name, "n8n-nodes-base.respondToWebhook", 1.4, position, parameters)


def _build_cause_response(name: str, position: tuple[int, int]) -> Json:
    """Answers what came from whichever of three nodes led here."""
    ended = "[$('Cause'), $('Lesson'), $('Decide')].find((node) => node.isExecuted).first().json"
    wait = {"name": "Retry-After", "value": f"={{{{ String({ended}.retry_after ?? 0) }}}}"}
    return _build_response_node(
        name, position, f"={{{{ {ended}.reply }}}}", f"={{{{ {ended}.status }}}}", [wait]
    )


def _build_tool_node(name: str, position: tuple[int, int]) -> Json:
    """The tool: this workflow itself, begun at its other trigger."""
    inputs = {
        key: f"={{{{ $fromAI('{key}', `{text}`, 'string') }}}}"
        for key, text in _TOOL_INPUTS.items()
    }
    schema = [
        {
            "id": key,
            "displayName": key,
            "type": "string",
            "required": False,
            "defaultMatch": False,
            "display": True,
            "canBeUsedToMatch": True,
            "removed": False,
        }
        for key in _TOOL_INPUTS
    ]
    return _build_node(
        name,
        "@n8n/n8n-nodes-langchain.toolWorkflow",
        2.2,
        position,
        {
            "description": _TOOL_DESCRIPTION,
            "source": "database",
            "workflowId": {"__rl": True, "mode": "id", "value": "={{ $workflow.id }}"},
            "workflowInputs": {
                "mappingMode": "defineBelow",
                "value": inputs,
                "matchingColumns": [],
                "schema": schema,
                "attemptToConvertTypes": False,
                "convertFieldsToString": False,
            },
        },
    )


def _build_note_node(text: str, position: tuple[int, int], width: int, height: int) -> Json:
    name = f"Note {text.split()[1].lower()}"
    size: Json = {"content": text, "width": width, "height": height}
    return _build_node(name, "n8n-nodes-base.stickyNote", 1, position, size)


_WEBHOOK_NOTE: Final = """\
## Prompt Learning teacher
Takes a failure, answers with a rule for CLAUDE.md.

1. **Webhook**: choose or make a *Header Auth* credential: name `Authorization`, value `Bearer`, \
a blank and a long random token. The orchestrator gets the same token as `N8N_WEBHOOK_TOKEN`.
2. **Claude**: choose or make an *Anthropic* credential with your API key.
3. Publish. The production URL of *Webhook* goes into `n8n.webhook_url`.

Model, limit of tokens and prompts stand in **Settings**. N8N_SETUP.md tells the rest."""

_MEMORY_NOTE: Final = f"""\
## Memory
A request that comes twice with one `idempotency_key` is asked once: its answer is kept for \
{_MEMORY_HOURS} hours in the data table `{_MEMORY}`, which makes itself. While the first is still \
at work, the second is told to come back."""

_MCP_NOTE: Final = """\
## Prompt Learning teacher for MCP
Offers the tool `teach` to Claude Code and other MCP clients.

1. **MCP Server Trigger**: choose or make a *Header Auth* credential: name `Authorization`, value \
`Bearer`, a blank and a long random token.
2. **Claude**: choose or make an *Anthropic* credential with your API key.
3. Publish, copy the production URL of *MCP Server Trigger*, and connect it as N8N_SETUP.md says.

The tool begins this same workflow a second time, at *The tool was called*."""


def _build_connections(links: Mapping[str, Sequence[Sequence[str]]]) -> Json:
    """For each node what follows each of its outputs, in n8n's words."""
    return {
        source: {
            "main": [
                [_build_link_target(target, "main") for target in targets] for targets in outputs
            ]
        }
        for source, outputs in links.items()
    }


def _build_link_target(node: str, kind: str) -> Json:
    return {"node": node, "type": kind, "index": 0}


def _build_workflow(identity: str, name: str, nodes: Sequence[Json], connections: Json) -> Json:
    return {
        "id": identity,
        "name": name,
        "active": False,
        "nodes": list(nodes),
        "connections": connections,
        # Requests hold code. So n8n drops each execution at once, failed ones too; its database
        # still has the data until n8n prunes it.
        "settings": {
            "executionOrder": "v1",
            "saveDataSuccessExecution": "none",
            "saveDataErrorExecution": "none",
            "saveManualExecutions": False,
        },
        "pinData": {},
        "meta": {"templateCredsSetupCompleted": False},
    }


def _main(arguments: Sequence[str]) -> int:
    """Write `n8n/` anew, or tell with `--check` which of its files are not as they should be."""
    folder = Path(__file__).parent.parent / "n8n"
    stale = [
        name
        for name, text in render_files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"n8n/{name} is not what `python -m teacher.workflow` writes\n")
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name, text in render_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
