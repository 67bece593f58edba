"""`orchestrator runs`: the list, one run in full, and pruning."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.cli.run_lines import iter_run_table
from orchestrator.journal.durable import read_history
from orchestrator.models import Task
from orchestrator.services.project_lock import lock_project
from orchestrator.storage.listing import list_summaries
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.cli.conftest import TASK, Call, Shop
from tests.recorded_runs import get_last_run

pytestmark = pytest.mark.usefixtures("teacher")


def make_older(days: float) -> None:
    """Let every run have ended so many days earlier."""
    with Store() as store:
        for record in store.list_runs():
            for column in ("started", "ended"):
                at = getattr(record, column)
                store.database.write(
                    f"UPDATE runs SET {column} = ? WHERE id = ?",  # noqa: S608 -- words of this test
                    ((at - timedelta(days=days)).isoformat(), record.id),
                )


def test_a_list_and_its_json_say_the_same(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    lines = call("runs").out.splitlines()
    assert lines[0].split() == ["RUN", "STARTED", "OUTCOME", "ATTEMPTS", "COST", "TASK"]
    (found,) = call("runs", "--json").events
    assert lines[1].startswith(found["id"])
    assert lines[1].endswith(TASK)
    assert found["task"] == {"text": TASK, "project": str(shop.project)}
    assert found["outcome"] == found["result"]["outcome"] == "solved"
    assert len(found["result"]["attempts"]) == 2
    assert f"${found['cost_usd']:.4f}" in lines[1]
    assert datetime.fromisoformat(found["started"]) < datetime.now(UTC)
    assert json.loads(call("runs", "show", "--json").out) == found
    assert call("runs", "show", "no-such", "--json").code == 2


def test_a_run_of_a_task_list_names_list_and_task_and_is_never_the_last_to_undo(
    call: Call, shop: Shop, tmp_path: Path
) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    own = get_last_run()
    assert (call("runs", "--json").events[0]["list"], own.lane) == ("", None)
    with Store() as store:
        task = Task("in a lane", shop.project)
        run = store.create_run(task, "{}", lane=tmp_path / "lanes/1").id
        store.database.write(
            "INSERT INTO task_runs (run, list, task, base, started) VALUES (?, ?, ?, ?, ?)",
            (run, "20260101-000000-abcdef", "T007", "", datetime.now(UTC).isoformat()),
        )
    shown = call("runs", "show", "--project-dir", shop.project)
    assert "list     20260101-000000-abcdef, task T007; orchestrator tasks status" in shown.out
    (values,) = call("runs", "show", run, "--json").events
    assert (values["list"], values["list_task"]) == ("20260101-000000-abcdef", "T007")
    assert own.id in call("undo", "--dry-run", "--project-dir", shop.project).out
    assert own.id in call("resume", "--project-dir", shop.project).err


def test_a_narrow_terminal_gets_the_task_on_a_line_of_its_own(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    with Store() as store:
        found = list_summaries(store.database, 1)
    head, line, task = iter_run_table(found, width=80)
    assert max(len(head), len(line)) <= 80
    assert (head.split()[-1], task) == ("COST", f"    {TASK}")
    assert len(list(iter_run_table(found, width=120))) == 2


def test_old_runs_are_removed_by_hand(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    run = get_last_run()
    here = ("--project-dir", shop.project)
    assert call("runs", "prune", *here).out.startswith("0 runs, 0.0 MB removed")
    make_older(91)
    dry = call("runs", "prune", "--dry-run", *here)
    assert dry.out.startswith("1 run, ")
    assert "would be removed" in dry.out
    assert run.id in dry.out
    assert run.folder.exists()
    assert call("runs", "prune", *here).code == 0
    assert not run.folder.exists()
    assert call("runs").out.splitlines()[1].startswith(run.id)
    assert "files and details were removed" in call("runs", "show").out
    assert call("resume", run.id).code == 2


def test_older_than_goes_before_the_setting(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    run = get_last_run()
    assert call("runs", "prune", "--older-than", "0").out.startswith("1 run, ")
    assert not run.folder.exists()


def test_a_run_that_ends_removes_what_is_old(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    old = get_last_run()
    make_older(91)
    (shop.project / "word.txt").write_text("wrong\n", encoding="utf-8")
    # This one may have a wrong clock: only when the next run agrees, the old run is old.
    done = call("run", TASK, "--project-dir", shop.project)
    assert "removed the files" not in done.output
    assert old.folder.exists()
    (shop.project / "word.txt").write_text("wrong\n", encoding="utf-8")
    done = call("run", TASK, "--project-dir", shop.project)
    assert "removed the files of 1 run that ended" in done.output
    assert not old.folder.exists()
    assert get_last_run().folder.exists()


def test_pruning_can_be_turned_off(call: Call, shop: Shop) -> None:
    settings = resolve_state_directory().parent / "settings.yaml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("state: {keep_days: null}\n", encoding="utf-8")
    done = call("runs", "prune", "--project-dir", shop.project, "--config", settings)
    assert done.code == 2
    assert "state.keep_days keeps everything (give --older-than DAYS)" in done.err


@pytest.mark.parametrize("days", [1, None])
def test_a_project_does_not_choose_how_long_others_are_kept(
    call: Call, shop: Shop, days: int | None
) -> None:
    shop.configure(state={"keep_days": days})
    for words in (("run", TASK), ("runs", "prune")):
        done = call(*words, "--project-dir", shop.project)
        assert done.code == 2
        assert "`state.keep_days`: this value is not allowed" in done.err


def test_a_refused_resume_changes_nothing(call: Call, shop: Shop) -> None:
    shop.configure(learning={"auto_retry": False}, limits={"max_cost_usd": 3.0})
    assert call("run", TASK, "--project-dir", shop.project).code == 1
    run = get_last_run()
    with Store() as store, lock_project(shop.project, store):
        assert call("resume", run.id, "--max-cost-usd", "99").code == 3
        assert json.loads(store.read_config(run.id))["limits"]["max_cost_usd"] == 3.0
    assert call("resume", run.id, "--max-cost-usd", "99").code == 0
    with Store() as store:
        assert json.loads(store.read_config(run.id))["limits"]["max_cost_usd"] == 99.0


def test_a_disk_that_fails_at_the_start_leaves_no_run(
    call: Call, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("orchestrator.services.runs.record_variables", fail)
    done = call("run", TASK, "--project-dir", shop.project)
    assert done.code == 3
    assert "cannot be used: [Errno 28] No space left on device" in done.err
    with Store() as store:
        assert store.list_runs() == []


def test_what_happens_before_the_first_step_is_on_record(call: Call, shop: Shop) -> None:
    assert call("run", TASK, "--project-dir", shop.project).code == 0
    kinds = [row["kind"] for row in call("runs", "events", "--json").events]
    assert kinds[0] == "notice"  # what the project's own file decides
    assert kinds.index("ready") < kinds.index("run_started")


def test_pruning_removes_the_steps_too(call: Call, shop: Shop) -> None:
    shop.configure(learning={"auto_retry": False})
    assert call("run", TASK, "--project-dir", shop.project).code == 1
    run = get_last_run().id
    assert read_history(run, resolve_state_directory())
    assert call("runs", "prune", "--older-than", "0").code == 0
    assert read_history(run, resolve_state_directory()) == []


def test_no_secret_of_the_task_is_committed(call: Call, shop: Shop) -> None:
    shop.configure(workspace={"isolate": True})
    task = f"{TASK} The login is: DB_PASSWORD=hunter2Suite99"
    assert call("run", task, "--project-dir", shop.project).code == 0
    words = ["git", "log", "--all", "--format=%B"]
    log = subprocess.run(words, cwd=shop.project, capture_output=True, text=True, check=True)
    assert TASK in log.stdout
    assert "hunter2Suite99" not in log.stdout
