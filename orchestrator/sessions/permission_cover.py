"""Decide whether live permission rules already allow what a rule would allow."""

from collections.abc import Iterable

_ALL = frozenset({"Bash", "Bash()", "Bash(*)", "Bash(:*)"})


def is_rule_covered(rule: str, allow_rules: Iterable[str]) -> bool:
    """Return whether one of the rules allows at least all that this one does.

    A rule for a command covers those that begin with it: `Bash(go *)` covers `Bash(go test *)`. An
    exact rule covers only itself. `:*` is the older way to write ` *`.
    """
    wanted = _read_rule(rule)
    return any(each.strip() in _ALL or _covers(_read_rule(each), wanted) for each in allow_rules)


def _read_rule(rule: str) -> tuple[str, bool] | None:
    """Return the command of a rule, and whether any arguments may follow it."""
    rule = rule.strip()
    if not rule.startswith("Bash(") or not rule.endswith(")"):
        return None
    command = rule[len("Bash(") : -1].strip()
    for end in (":*", " *"):
        if command.endswith(end):
            return " ".join(command.removesuffix(end).split()), True
    if command.endswith("*") and "*" not in command[:-1]:
        return command[:-1], True
    return " ".join(command.split()), False


def _covers(one: tuple[str, bool] | None, wanted: tuple[str, bool] | None) -> bool:
    if one is None or wanted is None:
        return False
    if one == wanted:
        return True
    command, is_open = one
    return is_open and "*" not in command and f"{wanted[0]} ".startswith(f"{command} ")
