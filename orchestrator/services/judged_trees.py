"""Remember what the suite said about trees, so that a tip is judged once.

<list>/judged.json    {key: {passed, failing, exit_code_only}}
"""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from orchestrator.config import Config
from orchestrator.models import SuiteReport
from orchestrator.platform import files

_MOST_TREES: Final = 200


@dataclass(frozen=True)
class JudgedTree:
    """What the suite said about a tree, as far as others are compared with it."""

    passed: bool
    failing: tuple[str, ...] = ()
    """Masked ids of the cases that failed."""
    exit_code_only: bool = False


class JudgedTrees:
    """The trees that were judged for one list.

    Args:
        path: the file.
        config: the configuration; another suite has other verdicts.
    """

    def __init__(self, path: Path, config: Config) -> None:
        self._path = path
        tests = config.tests
        suite = f"{tests.framework}\0{tests.command}\0{tests.timeout}\0{config.lanes.prepare}"
        self._suite = hashlib.sha256(suite.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def find(self, tree: str) -> JudgedTree | None:
        """Return what the suite said about a tree; None if it has not been judged."""
        with contextlib.suppress(KeyError, TypeError):
            found = self._read()[self._key(tree)]
            failing = tuple(str(case) for case in found["failing"])
            return JudgedTree(bool(found["passed"]), failing, bool(found["exit_code_only"]))
        return None

    def remember(self, tree: str, report: SuiteReport) -> JudgedTree:
        """Store the report on a tree, and return what is stored."""
        judged = summarize_report(report)
        known = self._read()
        known.pop(self._key(tree), None)
        known[self._key(tree)] = asdict(judged)
        newest = dict(list(known.items())[-_MOST_TREES:])
        # Without it, a tree is judged again.
        with contextlib.suppress(OSError):
            files.write_file(self._path, json.dumps(newest).encode(), 0o600)
        return judged

    def _key(self, tree: str) -> str:
        return f"{tree} {self._suite}"

    def _read(self) -> dict[str, dict[str, Any]]:
        data = files.read_whole_file(self._path) or b"{}"
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(data)
            if isinstance(found, dict):
                return found
        return {}


def summarize_report(report: SuiteReport) -> JudgedTree:
    """Return of a report what others are compared with."""
    failing = tuple(sorted({case.id for case in report.failing}))
    return JudgedTree(report.has_passed, failing, report.is_exit_code_only)
