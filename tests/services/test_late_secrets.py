"""Masking what a run stored before a secret was known: an error in it hides no other one."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pytest

from orchestrator.events import Event, Notice
from orchestrator.loop.masked_suite import FOOTPRINT
from orchestrator.masking import Masker
from orchestrator.models import RunOutcome, Task
from orchestrator.services.late_secrets import mask_late_secrets
from orchestrator.storage.runs import Store

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "tQ7-vx2Lr9-wKq4"


@pytest.fixture
def masker() -> Masker:
    masker = Masker()
    masker.mask(f"DB_PASSWORD={SECRET}")
    assert masker.count_learned
    return masker


def end_run(state: Path, project: Path) -> str:
    with Store(state) as store:
        record = store.create_run(Task(f"Use {SECRET} here", project), "{}")
        store.end_run(record.id, RunOutcome.SOLVED, "", store.claim_run(record.id))
        return record.id


def test_the_row_of_a_run_is_masked(tmp_path: Path, masker: Masker) -> None:
    run = end_run(tmp_path / "state", tmp_path)
    mask_late_secrets(tmp_path / "state", run, masker, print)
    with Store(tmp_path / "state") as store:
        assert SECRET not in store.find_run(run).task.text


@pytest.mark.parametrize("fault", ["no such run", "damaged database", "damaged footprint"])
def test_an_error_is_a_notice_and_replaces_no_other_one(
    tmp_path: Path, masker: Masker, fault: str
) -> None:
    """It is called while the error that ended the run is on its way to the user."""
    state, told = tmp_path / "state", list[Event]()
    run = end_run(state, tmp_path)
    if fault == "damaged database":
        for path in state.glob("state.db*"):
            path.write_bytes(b"no database " * 999)
    elif fault == "damaged footprint":
        (state / "runs" / run / FOOTPRINT).write_bytes(zlib.compress(b"{}")[:-3])
    mask_late_secrets(
        state, "20000101-000000-abcdef" if "no " in fault else run, masker, told.append
    )
    [notice] = told
    assert isinstance(notice, Notice)
    assert "may still be in the record" in notice.text
