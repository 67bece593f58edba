"""The page about fleets: its unit is one that systemd takes, and its settings exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.config import Config

PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"


def read_block(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    (unit,) = read_block("ini")
    program, secret = tmp_path / "orchestrator", tmp_path / "worker.env"
    program.write_text(f"#!{sys.executable}\n", encoding="utf-8")
    program.chmod(0o755)
    secret.touch()
    unit = unit.replace("/usr/local/bin/orchestrator", str(program))
    unit = unit.replace("/etc/orchestrator/worker.env", str(secret))
    unit = unit.replace("User=orchestrator", "User=daemon")
    path = tmp_path / "orchestrator-worker.service"
    path.write_text(unit, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", path], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "orchestrator-worker" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_unit_lets_a_worker_drain() -> None:
    (unit,) = read_block("ini")
    grace = int(re.findall(r"--grace (\d+)", unit)[0])
    assert "KillMode=mixed" in unit
    # The agents are ended after the grace, which takes up to 20 s itself.
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) >= grace + 30


def test_every_setting_and_variable_of_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    settings = set(re.findall(r"`((?:queue|limits|tasks|n8n|lanes)\.\w+)`", text))
    assert len(settings) > 5
    for each in settings:
        section, name = each.split(".")
        assert hasattr(getattr(Config(), section), name), each
    for variable in set(re.findall(r"ORCHESTRATOR_(QUEUE_\w+|N8N_\w+)", text)):
        section, _, name = variable.lower().partition("_")
        assert hasattr(getattr(Config(), section), name), variable
