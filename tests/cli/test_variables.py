"""The variables that a verdict rests on are the same after `resume`; no secret in them is kept."""

import signal
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay import ReplayServer
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import AGENT, TASK, Call, Shop, start_command, wait_for_result
from tests.cli.test_signals import until
from tests.recorded_runs import get_last_run
from tests.sampling import leave_to_whole
from tests.stored_text import read_file

TOKEN = "sk-ant-api03-a1B2c3D4e5F6g7H8i9J0"
SUITE = """
echo "$PYTEST_ADDOPTS $PYTHONHASHSEED $PYTHON_SERVICE_PASSWORD" >> ../seen
grep -qx right word.txt
"""


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))


def set_variables(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def start_and_kill(shop: Shop) -> None:
    shop.agent.write_text('touch "$0.ready"; sleep 600\n', encoding="utf-8")
    child = start_command("run", TASK, "--project-dir", shop.project)
    until(shop.agent.with_name("agent.sh.ready"))
    child.send_signal(signal.SIGKILL)
    assert wait_for_result(child).code == -signal.SIGKILL
    shop.agent.write_text(AGENT, encoding="utf-8")


def start_and_pause(call: Call, shop: Shop) -> None:
    shop.configure(learning={"auto_retry": False})
    assert call("run", TASK, "--project-dir", shop.project).code == 1
    assert get_last_run().outcome is RunOutcome.PAUSED


def files_with(secret: str) -> list[str]:
    files = [path for path in resolve_state_directory().rglob("*") if path.is_file()]
    assert len(files) > 10
    return [str(path) for path in files if secret in "\n".join(read_file(path))]


@pytest.mark.parametrize("end", ["killed", "paused"])
def test_no_secret_is_written_and_resume_takes_it_from_its_own_environment(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    shop.write("check.sh", SUITE)
    secrets = {"PYTEST_ADDOPTS": f"-q --token={TOKEN}", "PYTHON_SERVICE_PASSWORD": "short"}
    set_variables(monkeypatch, **secrets, PYTHONHASHSEED="7")
    if end == "killed":
        start_and_kill(shop)
    else:
        start_and_pause(call, shop)
    assert files_with(TOKEN) == []
    kept = (get_last_run().folder / "variables.json").read_text(encoding="utf-8")
    assert '"PYTHONHASHSEED": "7"' in kept
    assert '"PYTEST_ADDOPTS": null' in kept
    assert '"PYTHON_SERVICE_PASSWORD": null' in kept
    monkeypatch.setenv("PYTHONHASHSEED", "8")
    done = call("resume")
    assert done.code in (0, 1), done.output
    assert "not any more" not in done.output
    seen = (shop.project.parent / "seen").read_text(encoding="utf-8").splitlines()
    assert len(seen) > 2
    assert set(seen) == {f"-q --token={TOKEN} 7 short"}
    assert files_with(TOKEN) == []


def test_resume_says_which_variable_is_missing(
    call: Call, shop: Shop, teacher: ReplayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, PYTEST_ADDOPTS=f"--token={TOKEN}", PYTHONHASHSEED="7")
    start_and_pause(call, shop)
    monkeypatch.delenv("PYTEST_ADDOPTS")
    monkeypatch.delenv("PYTHONHASHSEED")
    done = call("resume")
    assert done.code == 0, done.output
    (line,) = [line for line in done.out.splitlines() if "PYTEST_ADDOPTS" in line]
    assert "was set when the run started and not any more" in line
    assert "set it as before and resume again" in line
    assert "PYTHONHASHSEED" not in done.out


@pytest.mark.parametrize(
    "variables",
    leave_to_whole(
        [
            {
                "DBOS__CLOUD": "true",
                "DBOS_APP_NAME": "shop",
                "DBOS_SYSTEM_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
                "DBOS_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
                "DBOS__CONDUCTOR_APP_NAME": "shop",
                "DBOS__CONDUCTOR_KEY": "k",
                "DBOS__CONDUCTOR_URL": "ws://127.0.0.1:9",
                "DBOS__OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9",
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            },
            {"DBOS__CLOUD": "true"},
            {"DBOS__VMID": "vm", "DBOS__APPVERSION": "v", "DBOS__APPID": "a"},
        ]
    ),
    ids=["all", "cloud", "names"],
)
def test_the_variables_of_a_projects_own_dbos_are_for_the_project(
    call: Call,
    shop: Shop,
    teacher: ReplayServer,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    set_variables(monkeypatch, **variables)
    shop.write("dbos-config.yaml", "name: shop\ndatabase_url: postgresql://127.0.0.1:9/none\n")
    shop.write(
        "check.sh", "env | grep -E '^(DBOS|OTEL)_' | sort > ../seen; grep -qx right word.txt\n"
    )
    words = ("run", TASK, "--project-dir", shop.project, "--no-auto-retry")
    paused = wait_for_result(start_command(*words, cwd=shop.project))
    assert paused.code == 1, paused.output
    assert get_last_run().outcome is RunOutcome.PAUSED
    done = wait_for_result(start_command("resume", cwd=shop.project))
    assert done.code == 0, done.output
    seen = (shop.project.parent / "seen").read_text(encoding="utf-8").splitlines()
    assert seen == sorted(f"{name}={value}" for name, value in variables.items())
