"""`ReplayServer`: a Messages API on loopback whose replies come from a scenario."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.replay import wire
from orchestrator.replay.choosing import Chooser
from orchestrator.replay.endpoint import Endpoint
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import (
    Fault,
    FaultKind,
    Reply,
    Scenario,
    Speaker,
    fill_placeholders,
)

_HOST: Final = "127.0.0.1"

Watcher = Callable[[RecordedRequest], None]


class ReplayServer:
    """Serves a scenario while its `with` block runs.

    Args:
        scenario: the answers.
        port: the port on 127.0.0.1; 0 chooses a free one.
        variables: values for `${name}` in replies, besides those from the request.
        on_request: called with each request once its answer is chosen, from the thread that
            serves it.

    Raises:
        ScenarioError: a placeholder in a reply has no value.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        port: int = 0,
        variables: Mapping[str, str] | None = None,
        on_request: Watcher | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._port, self._watch = port, on_request or (lambda _request: None)
        self.play_scenario(scenario, variables)
        self._http: Endpoint | None = None

    def __enter__(self) -> "ReplayServer":
        try:
            self._http = Endpoint((_HOST, self._port), self._answer_request)
        except (OSError, OverflowError) as error:
            raise InfrastructureError(
                f"the replay model cannot listen on {_HOST}:{self._port}: {error}",
                "choose another port",
            ) from None
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._http:
            self._http.end()
            self._http = None

    def play_scenario(self, scenario: Scenario, variables: Mapping[str, str] | None = None) -> None:
        """Answer from this scenario from now on, and forget the requests so far.

        Raises:
            ScenarioError: a placeholder in a reply has no value.
        """
        scenario.check_placeholders(variables or {})
        with self._lock:
            self._scenario, self._variables = scenario, dict(variables or {})
            self._chooser = Chooser(scenario)
            self._requests: list[RecordedRequest] = []

    @property
    def url(self) -> str:
        """The base URL, for ANTHROPIC_BASE_URL."""
        if self._http is None:
            raise RuntimeError("the replay server is not running; use it in a with block")
        return f"http://{_HOST}:{self._http.server_port}"

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The requests for messages so far, in order, side requests included."""
        with self._lock:
            return tuple(self._requests)

    @property
    def unanswered_requests(self) -> tuple[RecordedRequest, ...]:
        """The requests that no answer fitted; their `mismatch` says why."""
        return tuple(request for request in self.requests if request.mismatch)

    def _answer_request(
        self, body: Mapping[str, Any], user_agent: str
    ) -> tuple[RecordedRequest, Reply]:
        """Choose the reply to a request, and record both. Thread-safe."""
        request = RecordedRequest(body, user_agent=user_agent)
        answer = self._chooser.choose_answer(request)
        label = mismatch = ""
        if answer is not None:
            label = self._scenario.label_answer(answer)
            try:
                reply = fill_placeholders(answer.reply, self._variables | request.variables)
            except KeyError as missing:
                mismatch = (
                    f"{self._scenario.source}: {label}: the request names no ${{{missing.args[0]}}}"
                )
        elif request.speaker is Speaker.SIDE:
            label, reply = "housekeeping", wire.build_housekeeping_reply(request)
        else:
            mismatch = self._chooser.explain_mismatch(request)
        if mismatch:
            reply = Reply(fault=Fault(FaultKind.STATUS, 400, mismatch))
        with self._lock:
            number = len(self._requests) + 1
            request = replace(request, number=number, answer=label, mismatch=mismatch)
            self._requests.append(request)
        self._watch(request)
        return request, reply
