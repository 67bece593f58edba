"""Scripted answers for the model behind n8n."""

from __future__ import annotations

from orchestrator.replay import Answer, Fault, FaultKind, Reply, Scenario


def make_scenario(*replies: Reply | str) -> Scenario:
    """Return a model that gives these replies, each once, and then repeats the last one."""
    given = [reply if isinstance(reply, Reply) else Reply(say=reply) for reply in replies]
    last = len(given) - 1
    return Scenario(
        tuple(Answer(reply, times=1 if at < last else None) for at, reply in enumerate(given))
    )


def make_failing_reply(status: int) -> Reply:
    """Return the reply of a model whose API has a temporary error."""
    return Reply(fault=Fault(FaultKind.STATUS, status))
