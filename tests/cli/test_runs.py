"""`orchestrator runs`: the list, one run whole, and what is kept for how long."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.storage.place import state_directory
from orchestrator.storage.runs import Store
from tests.cli.conftest import TASK, Call, Shop
from tests.runs import get_last_run

pytestmark = pytest.mark.usefixtures("teacher")


def make_older(days: float) -> None:
    """Let every run have ended so many days earlier."""
    with Store() as store:
        for record in store.list():
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
    assert "its files and details were removed" in call("runs", "show").out
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
    done = call("run", TASK, "--project-dir", shop.project)
    assert "removed the files of a run that ended" in done.said
    assert not old.folder.exists()
    assert get_last_run().folder.exists()


def test_everything_is_kept_on_demand(call: Call, shop: Shop) -> None:
    settings = state_directory().parent / "settings.yaml"
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
        assert "`state.keep_days` is not for a project to choose" in done.err
