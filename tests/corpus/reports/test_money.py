"""Who pays, and how much is said to be paid."""

import json
import re
import sqlite3

import pytest

from tests.corpus.reports.lab import MEMORY, Lab, require_namespaces, vary
from tests.corpus.reports.servers import serve_relay

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

_LOGIN = {
    "claudeAiOauth": {
        "accessToken": "oat-subscription",
        "refreshToken": "ort",
        "expiresAt": 4102444800000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
}


@vary("both", "login", sample="both")
def test_subscription(lab: Lab, variant: str) -> None:
    """A login of Claude Code for the agent; an API key, if there is one, for the teacher.

    Right: the agent goes on with the login, or it is said that it does not. With the login alone
    it is said before anything is spent that the teacher needs a key.
    """
    lab.make_project()
    (lab.home / ".claude").mkdir()
    credentials = lab.home / ".claude" / ".credentials.json"
    credentials.write_text(json.dumps(_LOGIN), "utf-8")
    key = "sk-ant-teacher" if variant == "both" else None
    with lab.serve_model() as model, serve_relay(model.url) as relay:
        result = lab.run(env={"ANTHROPIC_BASE_URL": relay.url, "ANTHROPIC_API_KEY": key})
    print(relay.credentials)
    if variant == "both":
        said = "subscription" in result.text.lower() or "api key" in result.text.lower()
        paid = any("teacher" in each for each in relay.credentials[True])
        assert said or not paid, "the agent silently left the login for the teacher's key"
    else:
        assert result.exit in (0, 2, 3), f"exit code {result.exit}"
        early = not relay.credentials[True]
        assert result.exit == 0 or early, "the agent ran before it was said"


@vary("mounted", sample="mounted")
def test_stopped_cost(lab: Lab, variant: str) -> None:
    """A run that stops between an attempt and its end, here because no rule can be written.

    Right: the summary and `runs` show its cost as the ledger has it. The variant mounts CLAUDE.md.
    """
    require_namespaces()
    lab.make_project()
    other = lab.folder / f"{variant}.md"
    other.write_text(MEMORY, "utf-8")
    with lab.serve_model():
        result = lab.run(prefix=lab.mount_memory(other))
    paid = _sum_ledger(lab)
    shown = re.search(r"cost .*\$([0-9.]+)", result.out)
    assert shown, "the summary shows no cost"
    decimals = len(shown[1].partition(".")[2])
    assert float(shown[1]) == pytest.approx(round(paid, decimals)), (
        f"the summary says ${shown[1]}, the ledger has ${paid:.4f}"
    )
    runs = lab.orchestrator("runs", "--json")
    (line,) = runs.out.splitlines()
    costs = [value for name, value in json.loads(line).items() if name.startswith("cost")]
    assert costs == pytest.approx([paid]), "`runs` lists another cost than the ledger"


def _sum_ledger(lab: Lab) -> float:
    (path,) = lab.state.rglob("state.db")
    connection = sqlite3.connect(path)
    try:
        ((paid,),) = connection.execute("SELECT sum(cost_usd) FROM spending").fetchall()
        return float(paid)
    finally:
        connection.close()
