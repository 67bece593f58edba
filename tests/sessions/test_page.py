"""Execute the commands of docs/sessions.md, in their order, after sessions of the real program."""

import json
import shlex
from pathlib import Path

import pytest

from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.sessions.detectors.occurrences import Detector
from tests.first_hour.pages import ROOT, list_shown
from tests.sessions.night import HIDING, LESSON, RULE, create_night

PAGE = ROOT / "docs" / "sessions.md"


@pytest.mark.whole
def test_each_command_of_the_page_works_in_the_order_of_the_page(project: Path, home: Path) -> None:
    night = create_night(project, home)
    for _ in range(2):
        night.work(HIDING)
    scenario = {"answers": [{"when": {"speaker": "teacher"}, "reply": {"json": dict(LESSON)}}]}
    shown = list_shown(PAGE)
    assert len(shown) >= 12
    proposal = "PROPOSAL"
    with ReplayServer(parse_scenario(json.dumps(scenario))) as model:
        for each in shown:
            words = shlex.split(each.text.replace("PROPOSAL", proposal))
            assert words[0] == "orchestrator"
            done = night.orchestrate(*words[1:], url=model.url)
            assert done.returncode == 0, f"{each.text}\n{done.stdout}{done.stderr}"
            assert done.stdout.strip(), f"{each.text} prints nothing"
            if waiting := night.list_proposals():
                proposal = waiting[0]["id"]
    assert RULE in (project / "CLAUDE.md").read_text()
    assert (project / "session.md").read_text().count("pytest") >= 1
    assert (project / "stats.svg").read_text().startswith("<?xml")


def test_the_page_names_each_kind_of_finding() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## What is found")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    names = [name.strip() for row in rows for name in row.split("|")[1].split(",")]
    assert sorted(names) == sorted(Detector)
