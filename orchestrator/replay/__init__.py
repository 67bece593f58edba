"""The replay model: a Messages API on loopback that answers from a scenario file.

    with ReplayServer(load_scenario(path), variables={"python": sys.executable}) as model:
        ...  # a client with ANTHROPIC_BASE_URL=model.url and any key

The real Claude Code program, the real Anthropic SDK, or anything else that speaks the API can use
it; only the model's replies are scripted. `docs/replay.md` describes the scenario format.

- `scenario`: answers, conditions, replies and faults as dataclasses
- `schema`: the file format as pydantic models
- `loading`: reads a file into a scenario; errors with file, line and key
- `request`: a recorded request, and what a condition can check in it
- `choosing`: picks the answer for a request
- `wire`: messages, events and errors as the API sends them
- `endpoint`: the HTTP server, and replies that go wrong
- `server`: `ReplayServer`, which connects all of these
- `__main__`: the command `python -m orchestrator.replay`
"""

from orchestrator.replay.loading import load_scenario, parse_scenario
from orchestrator.replay.request import RecordedRequest
from orchestrator.replay.scenario import (
    Answer,
    Fault,
    FaultKind,
    Reply,
    Scenario,
    ScenarioError,
    Speaker,
    Tokens,
    ToolCall,
    When,
)
from orchestrator.replay.server import ReplayServer

__all__ = [
    "Answer",
    "Fault",
    "FaultKind",
    "RecordedRequest",
    "ReplayServer",
    "Reply",
    "Scenario",
    "ScenarioError",
    "Speaker",
    "Tokens",
    "ToolCall",
    "When",
    "load_scenario",
    "parse_scenario",
]
