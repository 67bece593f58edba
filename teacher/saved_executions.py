"""Find out through n8n's public API whether n8n saves the executions of the workflow.

A saved execution has the whole request: evidence, source code, and the header with the token. n8n's
editor ignores the settings of a file that it imports, so a workflow that was imported there saves
each execution until a person changes that.

The API needs a key with the scopes `workflow:list` and `execution:list`. It lists what is saved; an
execution that n8n drops is listed only while it runs. Paths and fields are those of n8n 2.39.10.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlencode, urlsplit

from teacher.errors import TeacherError
from teacher.http_client import HttpClient, NoReplyError, TooLargeError
from teacher.workflow_export import list_saved_kinds

HOW_TO_DROP: Final = (
    "in the workflow, ... > Settings: set Save failed production executions, Save successful "
    "production executions, Save manual executions and Save execution progress to `Do not save`"
)
"""What to do in n8n's editor, in its own words."""

_ENDPOINT: Final = "/webhook/"
_LIMIT: Final = 250
"""Most objects that the API returns at once."""
_MOST_REQUESTS: Final = 40
_END_SECONDS: Final = 5.0
"""How long to wait for the end of an execution: the workflow goes on after it has answered."""
_POLL_SECONDS: Final = 0.2
_LOOK_SECONDS: Final = 30.0
_REQUEST_SECONDS: Final = 15.0
_MAX_PAGE_BYTES: Final = 32 * 1024 * 1024
"""A page of workflows is long if they are."""


class LookError(Exception):
    """It cannot be found out.

    Args:
        problem: why.
        hint: what to do about it; may be empty.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem, hint)
        self.problem, self.hint = problem, hint


@dataclass(frozen=True)
class SavedExecutions:
    """What n8n does with the executions of a workflow."""

    listed: tuple[int, ...]
    """Numbers of the executions since the start of the watch that are saved."""
    kinds: tuple[str, ...]
    """Kinds of executions that the workflow's own settings do not drop; see
    `teacher.workflow_export.SAVING`."""


@dataclass
class ExecutionWatch:
    """Looks at the executions of the workflow behind a webhook, from `start` to `finish`.

    Args:
        url: the webhook.
        key: the key of n8n's public API; it is sent to the webhook's host alone.
        end_seconds: how long `finish` waits for the end of a running execution.
        look_seconds: how long `start` looks for the workflow; no page is read later.
    """

    url: str
    key: str
    end_seconds: float = _END_SECONDS
    look_seconds: float = _LOOK_SECONDS
    _workflow: Mapping[str, Any] = field(default_factory=dict, init=False)
    _last: int = field(default=0, init=False)

    def start(self) -> None:
        """Find the workflow, and remember its last execution.

        Raises:
            LookError: the API cannot be used, or has no such workflow.
        """
        self._workflow = self._find_workflow()
        self._last = max(self._list_executions(limit=1), default=0)

    def finish(self) -> SavedExecutions:
        """Return what was saved since the start. Raises LookError."""
        end = time.monotonic() + self.end_seconds
        while self._list_new(status="running") and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        kinds = list_saved_kinds(self._workflow.get("settings"))
        return SavedExecutions(tuple(self._list_new()), tuple(kinds))

    def _list_new(self, status: str = "") -> list[int]:
        return [each for each in self._list_executions(_LIMIT, status) if each > self._last]

    def _list_executions(self, limit: int, status: str = "") -> list[int]:
        """Return the numbers of the newest executions; without a status, of those that ended."""
        query = {"workflowId": str(self._workflow["id"]), "limit": str(limit)}
        query |= {"status": status} if status else {}
        return [_read_number(each) for each in self._read_page("executions", query)[0]]

    def _find_workflow(self) -> Mapping[str, Any]:
        path = _find_path(self.url)
        cursor = ""
        end = time.monotonic() + self.look_seconds
        for _ in range(_MOST_REQUESTS):
            query = {"active": "true", "excludePinnedData": "true", "limit": str(_LIMIT)}
            found, cursor = self._read_page(
                "workflows", query | ({"cursor": cursor} if cursor else {})
            )
            for workflow in found:
                if path in _iter_paths(workflow) and "id" in workflow:
                    return workflow
            if not cursor:
                break
            if time.monotonic() > end:
                raise LookError(f"n8n's API lists workflows for more than {self.look_seconds:g} s")
        raise LookError(
            f"the key of N8N_API_KEY sees no published workflow with the webhook path {path}",
            "Use the key of a person who can open the workflow.",
        )

    def _read_page(self, name: str, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], str]:
        """Return the objects of a page, and the cursor of the next one; empty for the last."""
        base = _find_api(self.url)
        # What the API has named, such as the next page, may contain lone surrogates.
        encoded = urlencode(query, errors="replace")
        try:
            answer = HttpClient(self.url, _REQUEST_SECONDS, _MAX_PAGE_BYTES).get(
                f"{base}/{name}?{encoded}", {"X-N8N-API-KEY": self.key}
            )
        except (NoReplyError, TooLargeError) as error:
            raise LookError(f"n8n's API was not reached: {error}") from None
        except TeacherError as error:
            raise LookError(f"n8n's API was not reached: {error.message}") from None
        if answer.status != 200:
            raise _build_refusal(answer.status, name)
        try:
            body = json.loads(answer.text)
            found = [each for each in body["data"] if isinstance(each, dict)]
            return found, str(body.get("nextCursor") or "")
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            raise LookError("what answers at /api/v1 is not n8n's API") from None


def _build_refusal(status: int, name: str) -> LookError:
    scope = f"{name.removesuffix('s')}:list"
    if status == 401:
        return LookError(
            "n8n refuses the key in N8N_API_KEY (401)", "Create one in Settings > n8n API."
        )
    if status == 403:
        return LookError(f"the key in N8N_API_KEY lacks the scope {scope} (403)", f"Add {scope}.")
    if status == 404:
        return LookError(
            "there is no public API at /api/v1 (404): it is switched off, or elsewhere"
        )
    return LookError(f"n8n's API answered {status}")


def _iter_paths(workflow: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of the webhooks of a workflow, as published and as last edited."""
    for version in (workflow.get("activeVersion"), workflow):
        nodes = version.get("nodes") if isinstance(version, dict) else None
        for node in nodes if isinstance(nodes, list) else ():
            parameters = node.get("parameters") if isinstance(node, dict) else None
            if isinstance(parameters, dict) and node.get("type") == "n8n-nodes-base.webhook":
                yield str(parameters.get("path", "")).strip("/")


def _find_path(url: str) -> str:
    """Return the path of the webhook in n8n. Raises LookError."""
    _, found, path = urlsplit(url.strip()).path.partition(_ENDPOINT)
    if not found or not path.strip("/"):
        raise LookError("n8n.webhook_url does not have the form .../webhook/PATH")
    return path.strip("/")


def _find_api(url: str) -> str:
    """Return the address of the API that belongs to a webhook, with the same prefix."""
    parts = urlsplit(url.strip())
    prefix = parts.path.partition(_ENDPOINT)[0]
    return SplitResult(parts.scheme, parts.netloc, f"{prefix}/api/v1", "", "").geturl()


def _read_number(execution: Mapping[str, Any]) -> int:
    text = str(execution.get("id", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
