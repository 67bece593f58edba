"""Run the workflow's scripts as n8n does, without an n8n: in one process of Node.js.

`WorkflowScripts` gives the scripts what their nodes get from the nodes in front of them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from teacher.workflow import build_webhook_workflow, fill_script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

Json = dict[str, Any]

_HOST = Path(__file__).with_suffix(".cjs")
_OLDEST_NODE = 20


class ScriptError(Exception):
    """A script threw an error. In n8n, its node then has the error as its output."""


def find_node() -> str:
    """Return the path of Node.js, or skip the test."""
    path = shutil.which("node")
    if not path:
        pytest.skip("Node.js is not installed, which runs the scripts of the workflow")
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        pytest.skip(f"Node.js {version.strip()} is older than any that n8n runs on")
    return path


class WorkflowScripts:
    """The scripts of the shipped webhook workflow. Use as a context manager."""

    def __init__(self) -> None:
        self._codes = {
            name: fill_script(name) for name in ("question.js", "decide.js", "lesson.js")
        }

    def __enter__(self) -> WorkflowScripts:
        self._process = subprocess.Popen(
            [find_node(), str(_HOST)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",  # neither side writes lone surrogates
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()  # which ends it

    def build_request(
        self, asked: object, settings: Mapping[str, Any], env: Mapping[str, str] | None = None
    ) -> Json:
        """Return what `Build request` makes of the body of a request.

        Args:
            asked: The body.
            settings: The output of the node Settings, without the body; see `read_settings`.
            env: n8n's environment; None if workflows may not read it.
        """
        return self._run("question.js", {**settings, "asked": asked}, {}, env)

    def decide(
        self, rows: Sequence[Mapping[str, Any]], at: int, mine: int | None, *, fresh: bool = False
    ) -> Json:
        """Return what `Decide` makes of the rows of the memory, which all have the key "k".

        Args:
            rows: The rows, with `id`, `at` and `answer`.
            at: When this request came.
            mine: The id of its row; None if it could not be registered.
            fresh: Whether the request asks anew.
        """
        question = {"timeout_ms": 85_000, "at": at, "workflow_version": 2, "fresh": fresh}
        nodes = {
            "Build request": question,
            "Add memory key": {"key": "k"},
            "Register request": {} if mine is None else {"id": mine},
            "Look up answer": [{"key": "k", **row} for row in rows] or [{}],
        }
        return self._run("decide.js", {}, nodes, {})

    def read_lesson(
        self,
        response: Mapping[str, Any],
        known_ids: Sequence[str] = (),
        version: int | None = None,
        model: str = "m",
    ) -> Json:
        """Return what `Read lesson` makes of a response to `Ask Claude`.

        Args:
            response: The response, with `statusCode`, `headers` and `body`.
            known_ids: The ids of the rules in the request.
            version: The version of the workflow.
            model: The model that was asked.
        """
        question = {
            "known_ids": list(known_ids),
            "workflow_version": version,
            "request": {"model": model},
        }
        return self._run("lesson.js", response, {"Build request": question}, {})

    def _run(
        self, name: str, item: object, nodes: Mapping[str, Any], env: Mapping[str, str] | None
    ) -> Json:
        run = {"code": self._codes[name], "json": item, "nodes": nodes, "env": env}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(run)}\n")
        self._process.stdin.flush()
        result = json.loads(self._process.stdout.readline())
        if "error" in result:
            raise ScriptError(result["error"])
        [item] = result["items"]
        assert isinstance(item, dict)
        made: Json = item["json"]
        return made


def read_settings(**changes: object) -> Json:
    """Return the output of the shipped node Settings, with some values changed."""
    nodes = {node["name"]: node["parameters"] for node in build_webhook_workflow()["nodes"]}
    values = {}
    for each in nodes["Settings"]["assignments"]["assignments"]:
        value = each["value"]
        values[each["name"]] = (
            json.loads(value) if each["type"] == "object" and value.startswith("{") else value
        )
    return {**values, **changes}
