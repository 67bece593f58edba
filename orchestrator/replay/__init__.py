"""The replay model: a Messages API on loopback that answers from a scenario file.

    with ReplayServer(load_scenario(path), variables={"python": sys.executable}) as model:
        ...  # a client with ANTHROPIC_BASE_URL=model.url and any key

The real Claude Code program, the real Anthropic SDK, or anything else that speaks the API talks
to it; only the model's words are scripted. `docs/replay.md` has the scenario format.
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
