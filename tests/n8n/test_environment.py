"""n8n restarted without each of its variables: nobody gets in, and no secret comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from orchestrator.replay import ReplayServer
from tests.cli.conftest import Call, call
from tests.n8n.conftest import set_up
from tests.n8n.model import make_scenario
from tests.n8n.server import KEY, TOKEN, N8n, N8nError
from tests.n8n.strangers import GUESSES, ask_mcp, ask_webhook
from tests.teacher.samples import ADD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.conftest import World
    from tests.n8n.strangers import Reply

__all__ = ["call"]

MCP: Final = "mcp/prompt-learning-teacher-mcp"

TOKEN_LOST: Final[dict[str, dict[str, str | None]]] = {
    "no token": {"N8N_WEBHOOK_TOKEN": None},
    "an empty token": {"N8N_WEBHOOK_TOKEN": ""},
    "a blank token": {"N8N_WEBHOOK_TOKEN": "   "},
    "variables are blocked by default": {"N8N_BLOCK_ENV_ACCESS_IN_NODE": None},
    "variables are blocked": {"N8N_BLOCK_ENV_ACCESS_IN_NODE": "true"},
    "a new shell": {
        "N8N_WEBHOOK_TOKEN": None,
        "ANTHROPIC_API_KEY": None,
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "N8N_BLOCK_ENV_ACCESS_IN_NODE": None,
        "N8N_ENCRYPTION_KEY": None,
    },
}
"""Environments in which n8n does not know the token: it may let nobody in."""

TOKEN_KNOWN: Final[dict[str, dict[str, str | None]]] = {
    "no key of Claude": {"ANTHROPIC_API_KEY": None},
    "the address of Claude's API is not set": {"ANTHROPIC_BASE_URL": None},
    "no encryption key": {"N8N_ENCRYPTION_KEY": None},
}
"""Environments in which the token still lets in."""


@pytest.fixture(scope="module")
def own_model() -> Iterator[ReplayServer]:
    with ReplayServer(make_scenario(ADD)) as model:
        yield model


@pytest.fixture(scope="module")
def once_complete(
    own_model: ReplayServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[N8n]:
    """An n8n that was set up, and has run, with all its variables; it is not running."""
    server = N8n(tmp_path_factory.mktemp("environment"), own_model.url)
    server.import_workflows("prompt-learning-teacher", "prompt-learning-teacher-mcp")
    server.start()
    try:
        assert ask_webhook(server, f"Bearer {TOKEN}").status == 200
        assert ask_mcp(server, f"Bearer {TOKEN}").status == 200
        server.stop()
        yield server
    finally:
        server.stop()


@pytest.fixture
def restarted(once_complete: N8n, request: pytest.FixtureRequest) -> Iterator[N8n]:
    """The same n8n, started again with other variables."""
    variables: Mapping[str, str | None] = request.param
    once_complete.more = variables
    once_complete.start(MCP, None)
    once_complete.wait_until_ready(status=None)
    try:
        yield once_complete
    finally:
        once_complete.stop()


def require_refused(answer: Reply, guess: str | None) -> None:
    assert answer.status in (401, 403, 500), (guess, answer.status, answer.text)
    require_no_secret(answer)
    if answer.status == 500:
        assert "No authentication data defined on node!" in answer.text, (guess, answer.text)


def require_no_secret(answer: Reply) -> None:
    assert TOKEN not in answer.text
    assert KEY not in answer.text


def require_no_stranger(n8n: N8n, model: ReplayServer) -> None:
    model.play_scenario(make_scenario(ADD))
    for guess in GUESSES:
        require_refused(ask_webhook(n8n, guess), guess)
        require_refused(ask_mcp(n8n, guess), guess)
    assert model.requests == ()


@pytest.mark.parametrize(
    "restarted", list(TOKEN_LOST.values()), ids=list(TOKEN_LOST), indirect=True
)
def test_without_its_token_it_lets_nobody_in(
    restarted: N8n,
    own_model: ReplayServer,
    world: World,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_no_stranger(restarted, own_model)
    # The right token neither: n8n cannot know that it is right.
    for ask in (ask_webhook, ask_mcp):
        require_refused(ask(restarted, f"Bearer {TOKEN}"), "the right token")
    assert own_model.requests == ()
    set_up(world, restarted.webhook, monkeypatch)
    done = call("teacher", "test", "--project-dir", world.project)
    assert done.code == 3, done.output
    said = " ".join(done.output.split())
    assert "set N8N_WEBHOOK_TOKEN and N8N_BLOCK_ENV_ACCESS_IN_NODE=false where n8n starts" in said
    assert TOKEN not in done.output


@pytest.mark.parametrize(
    "restarted", list(TOKEN_KNOWN.values()), ids=list(TOKEN_KNOWN), indirect=True
)
@pytest.mark.n8n_long
def test_without_another_variable_only_the_token_lets_in(
    restarted: N8n, own_model: ReplayServer
) -> None:
    require_no_stranger(restarted, own_model)
    right = ask_webhook(restarted, f"Bearer {TOKEN}", {})
    assert (right.status, "bad_request" in right.text) == (400, True), right
    require_no_secret(right)
    assert ask_mcp(restarted, f"Bearer {TOKEN}").status == 200


@pytest.mark.n8n_long
def test_with_another_encryption_key_it_lets_nobody_in(
    once_complete: N8n, own_model: ReplayServer
) -> None:
    kept = once_complete.home / ".n8n" / "config"
    text = kept.read_text(encoding="utf-8")
    once_complete.more = {"N8N_ENCRYPTION_KEY": "another key"}
    try:
        assert "Mismatching encryption keys" in try_to_start(once_complete)
        kept.unlink()  # as in a container whose database alone is on a volume
        if problem := try_to_start(once_complete):
            # So it is if n8n has encrypted secrets of its own in the database by then.
            assert "cannot be read with this instance encryption key" in problem
            return
        require_no_stranger(once_complete, own_model)
        require_refused(ask_webhook(once_complete, f"Bearer {TOKEN}"), "the right token")
    finally:
        once_complete.stop()
        kept.write_text(text, encoding="utf-8")


def try_to_start(server: N8n) -> str:
    """Start n8n, and return why it did not come up; empty if it did."""
    try:
        server.start(MCP, None)
        server.wait_until_ready(status=None)
    except N8nError as error:
        return str(error)
    return ""
