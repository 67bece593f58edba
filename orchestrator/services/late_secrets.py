"""Mask in what a run has stored the secrets that it learned later.

A text is masked when it is stored, with what is known then. If a later output of the run shows that
a value in it is a password, the value is replaced after the run: in its rows, in its files, in what
waits for a teacher, and in the entries of `.learnings`. The text of a rule is not changed: it is
committed, or a person has approved it.
"""

import contextlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.events import Listener, Notice
from orchestrator.learnings.workspace import find_workspace
from orchestrator.loop.masked_suite import FOOTPRINT
from orchestrator.masking import Masker
from orchestrator.models import RESUMABLE, RunRecord
from orchestrator.platform import files
from orchestrator.services.run_homes import find_home
from orchestrator.storage.database import Database
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import pins_folder
from orchestrator.teaching.pending import Pending

_ROWS: Final = (
    ("runs", "id", "id = ?", ("task", "message")),
    ("events", "position", "run = ?", ("detail",)),
    ("rules", "position", "origin LIKE ?", ("reason", "origin", "suggestion")),
    (
        *("rule_events", "position"),
        "rule IN (SELECT id FROM rules WHERE origin LIKE ?)",
        ("detail",),
    ),
)
"""Tables with texts of a run, the key of their rows, which rows, and the columns. The results of
the run, its findings and failed cases are written again at its end, and are masked already."""


def mask_late_secrets(state: Path, run: str, masker: Masker, listener: Listener) -> None:
    """Mask what a run has stored; report an error as a notice, and do not raise it.

    Args:
        state: the state directory.
        run: the run, which this process no longer executes.
        masker: knows what the run has learned.
        listener: receives notices.
    """
    if not masker.count_learned:
        return
    try:
        with Store(state) as store:
            record = store.find_run(run)
            _mask_rows(store.database, run, masker)
        _mask_files(state, record, masker)
        Pending(record.task.project, state).mask_failures_again(masker)
        if record.outcome not in RESUMABLE:
            _forget_steps(state, run, masker)
    except (LoopError, OSError, zlib.error) as error:
        listener(Notice(f"a secret that was learned late may still be in the record: {error}"))


def _mask_rows(database: Database, run: str, masker: Masker) -> None:
    for table, key, where, columns in _ROWS:
        names = ", ".join(columns)
        value = f'%"{run}"%' if "LIKE" in where else run
        rows = database.fetch_rows(
            f"SELECT {key}, {names} FROM {table} WHERE {where}",  # noqa: S608 -- our own names
            (value,),
        )
        for identity, *texts in rows:
            masked = [masker.mask_again(text) for text in texts]
            if masked != texts:
                changes = ", ".join(f"{name} = ?" for name in columns)
                database.write(
                    f"UPDATE {table} SET {changes} WHERE {key} = ? AND {where}",  # noqa: S608
                    (*masked, identity, value),
                )


def _mask_files(state: Path, record: RunRecord, masker: Masker) -> None:
    for path in (*record.folder.glob("*.patch"), *_find_pins(state, record.id)):
        _rewrite_file(path, lambda data: _mask_bytes(data, masker))
    if record.outcome not in RESUMABLE:  # else the ids of cases must stay as they are
        footprint = record.folder / FOOTPRINT
        _rewrite_file(
            footprint, lambda data: zlib.compress(_mask_bytes(zlib.decompress(data), masker))
        )
    workspace = find_workspace(find_home(record))
    if workspace is not None:
        workspace.rewrite_entries(masker.mask_again)


def _find_pins(state: Path, run: str) -> list[Path]:
    return list(pins_folder(state).glob(f"*/{run}.*/pinned.json"))


def _rewrite_file(path: Path, change: Callable[[bytes], bytes]) -> None:
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes()
        if (changed := change(data)) != data:
            files.write_file(path, changed, 0o600)


def _mask_bytes(data: bytes, masker: Masker) -> bytes:
    text = data.decode("utf-8", "surrogateescape")
    return masker.mask_again(text).encode("utf-8", "surrogateescape")


def _forget_steps(state: Path, run: str, masker: Masker) -> None:
    """Remove the finished steps of a run that has ended, if they contain what was learned later."""
    from orchestrator.journal.durable import forget_runs, read_history

    stored = json.dumps(read_history(run, state))
    if masker.mask_again(stored) != stored:
        forget_runs(state, lambda each: each == run, lambda _each: False)
