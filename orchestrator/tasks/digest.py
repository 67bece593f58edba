"""Summarize in a few lines what was done before a task: the digest of a list.

The texts come from agents: nothing in them acts or hides, and each takes a bounded place. Secrets
are masked by the caller.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrator.counts import format_count, name_first
from orchestrator.masking.visible_text import flatten_text
from orchestrator.tasks.models import DigestEntry
from orchestrator.tasks.public_names import find_public_names, is_known_language, name_module

MOST_LINES: Final = 20
"""Lines of a digest."""
MOST_COLUMNS: Final = 120
"""Characters of one of its lines."""
_MOST_TITLE: Final = 60
_MOST_OUTCOME: Final = 24
_MOST_FILES: Final = 500
"""Files of a commit whose names are compared."""
_MOST_BYTES: Final = 8_000_000
"""Bytes of all versions together that are compared."""
_MOST_NAMES: Final = 200
_TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "testing"})

ReadVersions = Callable[[str], tuple[bytes | None, bytes | None]]
"""Returns a file before and after a commit, by its path; None where it is not there."""
_Definition = tuple[str, str]
"""A file, and a name that it defines."""


def build_digest(entries: Sequence[DigestEntry], limit: int = MOST_LINES) -> str:
    """Return what was done, with the files and names that changed, and what failed and why.

    Args:
        entries: the tasks that have ended, the newest last.
        limit: most lines; the oldest tasks are left out, and counted in the first line.

    Returns:
        The lines, each of at most `MOST_COLUMNS` characters; empty if there are no entries.
    """
    shown: list[str] = []
    left_out = len(entries)
    for entry in reversed(entries):
        lines = _describe_entry(entry)
        room = limit - len(shown) - (left_out > 1)  # one for the count of those left out
        if len(lines) > room and (shown or room < 1):
            break
        shown = lines[: max(room, 0)] + shown
        left_out -= 1
    if left_out and limit > 0:
        shown.insert(0, f"- {format_count(left_out, 'earlier task')} left out")
    return "\n".join(shown)


def list_changed_names(read: ReadVersions, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the public names that a commit added (`+`), removed (`-`) or renamed (`~`).

    Only Python, JavaScript, TypeScript and Go are read, and no tests. A file that cannot be read in
    both versions has no changed names. Where a commit changes too much, the last files and names
    are left out.

    Args:
        read: returns the two versions of a file, None where it is not there.
        paths: the files that the commit changed.
    """
    added: dict[_Definition, str] = {}
    removed: dict[_Definition, str] = {}
    room = _MOST_BYTES
    compared = [each for each in paths if is_known_language(each) and not _is_test(each)]
    for path in compared[:_MOST_FILES]:
        before, after = read(path)
        room -= len(before or b"") + len(after or b"")
        if room < 0:
            break
        old, new = find_public_names(path, before), find_public_names(path, after)
        if old is not None and new is not None:
            added |= {(path, name): new[name] for name in _find_missing(new, old)}
            removed |= {(path, name): old[name] for name in _find_missing(old, new)}
    return _format_names(added, removed)[:_MOST_NAMES]


def _find_missing(names: Mapping[str, str], others: Mapping[str, str]) -> list[str]:
    """Return the names that are not among others; what is in a class that is not there is not."""
    missing = [name for name in names if name not in others]
    return [name for name in missing if "." not in name or name.split(".")[0] not in missing]


def _format_names(
    added: Mapping[_Definition, str], removed: Mapping[_Definition, str]
) -> tuple[str, ...]:
    """Return the changed names: what breaks other code first."""
    once_added, once_removed = _index_texts(added), _index_texts(removed)
    renamed = {old: once_added[text] for text, old in once_removed.items() if text in once_added}
    targets = set(renamed.values())
    gone = [each for each in removed if each not in renamed]
    new_ones = [each for each in added if each not in targets]
    return (
        *(f"~{_format_definition(old)} -> {_format_new(old, new)}" for old, new in renamed.items()),
        *(f"-{_format_definition(definition)}" for definition in gone),
        *(f"+{_format_definition(definition)}" for definition in new_ones),
    )


def _index_texts(definitions: Mapping[_Definition, str]) -> dict[str, _Definition]:
    """Return definitions by their texts: those whose text says something, and no other has."""
    counts = Counter(definitions.values())
    return {text: each for each, text in definitions.items() if text and counts[text] == 1}


def _format_definition(definition: _Definition) -> str:
    path, name = definition
    return f"{name_module(path)}.{name}"


def _format_new(old: _Definition, new: _Definition) -> str:
    """Return where a name is now: with its path, where the module has the same name."""
    formatted = _format_definition(new)
    return formatted if formatted != _format_definition(old) else f"{formatted} ({new[0]})"


def _is_test(path: str) -> bool:
    *folders, name = path.lower().split("/")
    stem = name.split(".")[0]
    return (
        bool(_TEST_FOLDERS & set(folders))
        or stem.startswith("test_")
        or stem.endswith("_test")
        or ".test." in name
        or ".spec." in name
        or stem == "conftest"
    )


# ---- lines


def _describe_entry(entry: DigestEntry) -> list[str]:
    """Return the lines of a task: the task with its files, its names, its problem."""
    title, outcome = _fit_text(entry.title, _MOST_TITLE), _fit_text(entry.outcome, _MOST_OUTCOME)
    lines = [f"- {title}: {outcome}"]
    if entry.files:
        lines[0] = _fit_items(f"{lines[0]}; ", entry.files, "file")
    if entry.names:
        lines.append(_fit_items("  names: ", entry.names, "name"))
    if entry.problem:
        head = "  problem: "
        lines.append(head + _fit_text(entry.problem, MOST_COLUMNS - len(head)))
    return lines


def _fit_items(head: str, items: Sequence[str], noun: str) -> str:
    """Return a line with as many items as fit, and the count of the others."""
    texts = [flatten_text(each) for each in items]
    for count in range(min(len(texts), MOST_COLUMNS // 2), 0, -1):
        line = head + name_first(texts, count)
        if len(line) <= MOST_COLUMNS:
            return line
    return head + format_count(len(items), noun)


def _fit_text(text: str, limit: int) -> str:
    line = flatten_text(text)
    return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."
