"""Say how two versions of the rule files differ."""

import difflib
from collections.abc import Sequence

from orchestrator.rulebook.rule_file_set import RuleFileSet


def list_changed_files(before: RuleFileSet, after: RuleFileSet) -> Sequence[str]:
    """Return the names of the files that differ, those that lose a rule last.

    If the process is killed in between, a moved rule is in two files, and never in none.
    """
    names = [n for n in after.files if after.files[n] != before.files.get(n, b"")]

    def loses(name: str) -> bool:
        return not {r.id for r in before.list_rules_in(name)} <= {
            r.id for r in after.list_rules_in(name)
        }

    return sorted(names, key=loses)


def render_diff(before: RuleFileSet, after: RuleFileSet) -> str:
    """Return what changes in the files, as one unified diff."""
    lines: list[str] = []
    for name in dict.fromkeys([*before.files, *after.files]):
        old, new = (
            file_set.files.get(name, b"").decode("utf-8", "replace").splitlines(keepends=True)
            for file_set in (before, after)
        )
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
