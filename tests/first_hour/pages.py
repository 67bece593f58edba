"""The console blocks of a page, and what becomes of each command in the test that executes it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
FIRST_HOUR: Final = ROOT / "docs" / "first-hour.md"

NOT_EXECUTED_HERE: Final = {
    r"make (demo|test)\b": "`.ci/run` calls make test, and make demo through test-latest",
    r"(uv tool|pipx|pip) (un)?install\b": "tests/packaging executes it on the built wheel",
    r"rm -r ~/\.local/state/prompt-learning-loop$": "the last test of test_pages.py does it",
    r"eval .*completion zsh": "zsh is not on every machine; click tests its script",
}
"""Patterns of commands that the test of a page does not execute, with the reason."""

_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TABLE_CELL: Final = re.compile(r"`(orchestrator[^`]*)`")


@dataclass(frozen=True)
class Shown:
    """A command that a page shows."""

    page: str
    text: str

    @property
    def reason(self) -> str:
        """Why the test of a page does not execute it; empty where it does."""
        found = [why for pattern, why in NOT_EXECUTED_HERE.items() if re.match(pattern, self.text)]
        return found[0] if found else ""


def list_shown(page: Path) -> list[Shown]:
    """Return the commands of a page's console blocks, in their order, without comments."""
    lines = [
        line.removeprefix("$ ")
        for block in _BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("$ ")
    ]
    # A comment begins two spaces after its command; one in quotes would have none.
    return [Shown(page.name, re.split(r" {2,}#", line)[0].strip()) for line in lines]


def list_commands_of_table(page: Path) -> list[str]:
    """Return the commands in the first column of a page's tables."""
    rows = [
        line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")
    ]
    return [command for row in rows for command in _TABLE_CELL.findall(row.split(" | ")[0])]
