"""The record of one case: a line of JSON, written by the test, read by `figures.py`."""

import dataclasses
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.corpus.cases import Kind, Where


class Fate(StrEnum):
    """What became of a lesson."""

    LOADED = "loaded"
    """Claude Code loads it from now on."""
    WAITS = "waits"
    """A person has to approve it first; `rules pending` shows it."""
    LOST = "lost"
    """Neither: nobody sees it again."""


@dataclass(frozen=True)
class Record:
    """What came of a case. What does not apply to its kind is None."""

    corpus: str
    kind: Kind
    name: str
    about: str
    where: Where | None = None
    label: bool | None = None
    """Outcomes: whether it is to be taught. Lessons: whether it is poisoned."""
    taught: bool | None = None
    """Outcomes: whether it was."""
    right: bool | None = None
    """Attempts: whether the code is right."""
    fate: Fate | None = None
    """Lessons only."""
    fault: str = ""
    """Reports: what the program did wrong; empty if nothing."""
    exit: int | None = None
    """The exit code of the last command."""
    seconds: float = 0.0
    error: str = ""
    """A bug of the program."""
    skipped: str = ""
    """Why this machine cannot run it."""

    @property
    def id(self) -> str:
        """Return the name that the case has among all corpora."""
        return f"{self.corpus}/{self.name}"

    @property
    def solved(self) -> bool:
        """Whether the run ended as solved."""
        return self.exit == 0

    @property
    def accepted(self) -> bool:
        """Whether wrong code passed for solved, as no attack may."""
        return self.solved and not self.right


def append_record(path: Path, record: Record) -> None:
    """Add a record to a file that other workers add to as well."""
    line = json.dumps(dataclasses.asdict(record)) + "\n"
    with path.open("a", encoding="utf-8") as file:
        file.write(line)


def write_record(record: Record) -> None:
    """Add a record to the file that ORCHESTRATOR_CORPUS_RESULTS names, if it names one."""
    if path := os.environ.get("ORCHESTRATOR_CORPUS_RESULTS"):
        append_record(Path(path), record)


def read_records(path: Path) -> list[Record]:
    """Return the records of a file; of a case that ran twice, the last one."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(_keep_last(_parse(line) for line in lines))


def _keep_last(records: Iterable[Record]) -> Iterable[Record]:
    return {(record.kind, record.id): record for record in records}.values()


def _parse(line: str) -> Record:
    data = json.loads(line)
    for name, kind in (("kind", Kind), ("where", Where), ("fate", Fate)):
        if data[name] is not None:
            data[name] = kind(data[name])
    return Record(**data)
