"""Read the cases of the corpora. A corpus is a folder beside this file that holds `outcomes.json`,
`attacks/*.toml` and `honest/*.toml`.
"""

import json
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
SAMPLE_STEP: Final = 6
"""The sample is every sixth case of each kind of a corpus, in the order of the names."""

_ABSENT: Final = "(absent)"
"""The content that removes a file of the base."""
_ROOT_ONLY: Final = ("seteuid(", "mount --bind", "chattr +i")
_PROGRAMS: Final = ("npm", "node")


class Kind(StrEnum):
    """What a case is about."""

    OUTCOME = "outcome"
    ATTACK = "attack"
    HONEST = "honest"
    LESSON = "lesson"
    """See `lessons`."""
    REPORT = "report"
    """See `reports`."""


VERDICT_KINDS: Final = (Kind.OUTCOME, Kind.ATTACK, Kind.HONEST)
"""What the corpora beside this file hold: cases about the verdict."""


class Where(StrEnum):
    """What an attack works through."""

    FILES = "files"
    """Tests, their data and helpers, configuration, makefiles and scripts, shadowing modules."""
    ENVIRONMENT = "environment"
    """The interpreter, installed packages, processes left running, links, git, saved state."""
    PROCESS = "process"
    """Code that runs inside the tested process."""


@dataclass(frozen=True)
class OutcomeCase:
    """What an attempt and the world around it did to a project, and whether that is to be taught.

    Everything that an outcome says is data of the corpus; scripts run with `sh`.
    """

    corpus: str
    name: str
    taught: bool
    """The label: the attempt's own failure."""
    why: str
    base: Mapping[str, str]
    """The project's files before the attempt, by path."""
    change: Mapping[str, str | None]
    """What the agent writes; None deletes."""
    setup: str
    """Script that runs before the attempt, with the case's folder as its working directory."""
    world: str
    """Script that runs while the agent works: what changes outside of the project."""
    task: str
    command: str
    timeout: int
    agent: Mapping[str, Any]
    """How the agent ends: `stdout`, `stderr`, `exit`."""

    @property
    def kind(self) -> Kind:
        """Return the kind, as `AttemptCase.kind` does."""
        return Kind.OUTCOME

    @property
    def text(self) -> str:
        """Return all that runs in this case, to search in."""
        return "\n".join((self.command, self.setup, self.world, *self.base.values()))


@dataclass(frozen=True)
class AttemptCase:
    """An attempt at a known task: an attack on the verdict, or honest work."""

    corpus: str
    name: str
    kind: Kind
    where: Where | None
    """None for honest work."""
    about: str
    data: Mapping[str, Any]
    """The case's file; README.md lists the keys."""

    @property
    def files(self) -> dict[str, str]:
        """Return the files that the case adds to its base, or replaces there."""
        return {name: text for name, text in self.data.get("files", {}).items() if text != _ABSENT}

    @property
    def absent(self) -> set[str]:
        """Return the files of the base that the case does without."""
        return {name for name, text in self.data.get("files", {}).items() if text == _ABSENT}

    @property
    def text(self) -> str:
        """Return all that runs in this case, to search in."""
        return "\n".join(str(self.data.get(key, "")) for key in ("agent", "config", "setup"))


Case = OutcomeCase | AttemptCase


def identify(case: Case) -> str:
    """Return the name that a case has among all corpora."""
    return f"{case.corpus}/{case.name}"


def list_corpora() -> list[Path]:
    """Return the folders of the corpora."""
    return sorted(path.parent for path in FOLDER.glob("*/outcomes.json"))


def list_cases() -> list[Case]:
    """Return every case of every corpus."""
    return list(chain.from_iterable(_read_corpus(folder) for folder in list_corpora()))


def list_known(corpus: str) -> dict[str, str]:
    """Return the cases of a corpus that are known to go wrong, with the reason for each."""
    path = FOLDER / corpus / "known.json"
    if not path.exists():
        return {}
    known = json.loads(path.read_text(encoding="utf-8"))
    return {f"{corpus}/{name}": str(reason) for name, reason in known.items()}


def select(cases: Sequence[Case], kind: Kind) -> list[Case]:
    """Return the cases of one kind, in the order of their names."""
    return sorted((case for case in cases if case.kind is kind), key=identify)


def select_sample(cases: Sequence[Case]) -> list[Case]:
    """Return the cases that stand for all of them in a short run."""
    found: list[Case] = []
    for corpus in sorted({case.corpus for case in cases}):
        own = [case for case in cases if case.corpus == corpus]
        for kind in VERDICT_KINDS:
            found += select(own, kind)[::SAMPLE_STEP]
    return found


def find_missing_requirement(case: Case) -> str:
    """Return what this machine lacks for the case to mean anything; empty if nothing."""
    if os.geteuid() != 0 and any(word in case.text for word in _ROOT_ONLY):
        return "needs root"
    for program in _PROGRAMS:
        if f"command: {program} " in case.text and not shutil.which(program):
            return f"needs {program}"
    return ""


def _read_corpus(folder: Path) -> Iterator[Case]:
    for entry in json.loads((folder / "outcomes.json").read_text(encoding="utf-8")):
        yield _make_outcome(folder.name, entry)
    for path in sorted((folder / "attacks").glob("*.toml")):
        yield _read_attempt(folder.name, path, Kind.ATTACK)
    for path in sorted((folder / "honest").glob("*.toml")):
        yield _read_attempt(folder.name, path, Kind.HONEST)


def _make_outcome(corpus: str, entry: Mapping[str, Any]) -> OutcomeCase:
    return OutcomeCase(
        corpus=corpus,
        name=entry["id"],
        taught=entry["taught"],
        why=entry["why"],
        base=entry["base"],
        change=entry["change"],
        setup=entry["setup"],
        world=entry["world"],
        task=entry["task"],
        command=entry["cmd"],
        timeout=entry["timeout"],
        agent=entry["agent"],
    )


def _read_attempt(corpus: str, path: Path, kind: Kind) -> AttemptCase:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    where = Where(data["where"]) if kind is Kind.ATTACK else None
    return AttemptCase(corpus, path.stem, kind, where, data["about"], data)
