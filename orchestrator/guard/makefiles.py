"""Reads makefiles as far as needed to know what a target runs."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.platform import files

_INCLUDE: Final = re.compile(r"^[ ]*(?:-include|sinclude|include)\s+(.+?)\s*(?:#.*)?$")
_VARIABLE: Final = re.compile(
    r"^[ ]*(?:export\s+|override\s+)*([\w.-]+)\s*(?::{0,3}|\?|\+|!)=\s*(.*)$"
)
_RULE: Final = re.compile(r"^([^\t#=:][^=:]*?)\s*::?(?!=)\s*([^;=]*)(?:;(.*))?$")
_REFERENCE: Final = re.compile(r"\$[({]([\w.-]+)[)}]")
_SHELL: Final = re.compile(r"\$\(shell\s+([^()]*(?:\([^()]*\)[^()]*)*)\)")


@dataclass
class Makefile:
    """A makefile with the makefiles that it includes."""

    includes: list[Path] = field(default_factory=list)
    """Included makefiles, also those that do not exist."""
    shell: list[str] = field(default_factory=list)
    """Commands that run when make reads it: `$(shell ...)` and `!=`."""
    variables: dict[str, str] = field(default_factory=dict)
    rules: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    """Prerequisites and recipe lines of each target, in file order."""

    def iter_recipe_lines(self, goals: Sequence[str]) -> Iterator[str]:
        """Yield the recipe lines that run for some goals, with variables replaced."""
        default = self.variables.get(".DEFAULT_GOAL", "")
        first = [default] if default else [name for name in self.rules if name[:1] != "."][:1]
        left, seen = list(goals) or first, set[str]()
        while left:
            goal = left.pop(0)
            if goal in seen:
                continue
            seen.add(goal)
            needed, lines = self.rules.get(goal, self._find_pattern_rule(goal))
            left += needed
            for line in lines:
                yield self.expand_variables(line).replace("$$", "$").lstrip("@-+ \t")

    def expand_variables(self, text: str) -> str:
        """Return a text with known variables replaced, and unknown ones removed."""
        text = text.replace("$(MAKE)", "make").replace("${MAKE}", "make")
        # The bound ends variables that refer to themselves.
        for _ in range(8):
            changed = _REFERENCE.sub(lambda m: self.variables.get(m[1], ""), text)
            if changed == text:
                return text
            text = changed
        return text

    def _find_pattern_rule(self, goal: str) -> tuple[list[str], list[str]]:
        for name, rule in self.rules.items():
            head, sign, tail = name.partition("%")
            if sign and goal.startswith(head) and goal.endswith(tail):
                return rule
        return [], []


def read_makefile(path: Path, cwd: Path) -> Makefile:
    """Read a makefile, and those that it includes.

    Args:
        path: the file.
        cwd: the folder that make starts in.
    """
    found = Makefile()
    _parse_file(path, cwd, found, 0)
    return found


def _parse_file(path: Path, cwd: Path, found: Makefile, depth: int) -> None:
    targets: list[str] = []
    for line in files.read_text(path).replace("\\\n", " ").splitlines():
        if line.startswith("\t") and targets:
            for target in targets:
                found.rules[target][1].append(line.strip())
            continue
        found.shell += [found.expand_variables(each) for each in _SHELL.findall(line)]
        if match := _INCLUDE.match(line):
            _read_includes(found.expand_variables(match[1]), cwd, found, depth)
        elif match := _VARIABLE.match(line):
            found.variables[match[1]] = match[2]
            if match[0].split(match[1])[1].lstrip().startswith("!="):
                found.shell.append(found.expand_variables(match[2]))
        elif match := _RULE.match(line):
            targets = found.expand_variables(match[1]).split()
            for target in targets:
                needed, lines = found.rules.setdefault(target, ([], []))
                needed += found.expand_variables(match[2]).replace("|", " ").split()
                lines += [match[3].strip()] if match[3] else []


def _read_includes(arguments: str, cwd: Path, found: Makefile, depth: int) -> None:
    for word in re.sub(r"\$\(wildcard\s+([^)]*)\)", r"\1", arguments).split():
        inside = "*" in word and not word.startswith("/")
        paths = files.find_paths(cwd, word) if inside else [cwd / word]
        for path in paths:
            if path not in found.includes and depth < 20:
                found.includes.append(path)
                _parse_file(path, cwd, found, depth + 1)
