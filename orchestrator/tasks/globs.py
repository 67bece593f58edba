"""Compare globs of files: whether two of them can name the same file, one not yet there included.

A glob counts from the project's folder, and names all that is below what it matches, too: `src` and
`src/*` are the same as `src/**`. `*` and `?` do not cross a slash; `**` does. Names that differ in
case only are the same file on some machines, so they are here. In doubt, two globs overlap: that
costs time, the opposite a conflict. So `[ab]` counts as any character.
"""

import posixpath
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Final

_WILD: Final = re.compile(r"[*?[]")
_SPECIAL: Final = re.compile(r"[*?[{]")
_BRACES: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")
_MOST_BRANCHES: Final = 64
_LONGEST: Final = 500
"""Characters of a glob with wildcards; a longer one counts as naming any file."""
_TOKEN: Final = re.compile(r"\[!?\]?[^\]]*\]|\*+|.", re.DOTALL)

Segments = tuple[str, ...]
"""A path or glob in its parts between slashes; none for the project's folder."""


def overlap(a: Sequence[str], b: Sequence[str], paths: Collection[str] = ()) -> bool:
    """Return whether two sets of globs can name the same file.

    Args:
        a: globs of one set.
        b: globs of the other.
        paths: files of the project; a name among them is no glob, whatever brackets it has.
    """
    known = frozenset((*a, *b)).intersection(paths)
    plain_a, wild_a = _split_globs(tuple(a), known)
    plain_b, wild_b = _split_globs(tuple(b), known)
    return (
        _share_line(plain_a, plain_b)
        or not set(wild_a).isdisjoint(wild_b)
        or any(_intersect(one, other) for one in wild_a for other in [*plain_b, *wild_b])
        or any(_intersect(one, other) for one in plain_a for other in wild_b)
    )


def find_matches(globs: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Return the paths that at least one of some globs names."""
    plain, wild = _split_globs(tuple(globs), frozenset(globs).intersection(paths))
    found = []
    for path in paths:
        segments = split_path(path)
        heads = (segments[:end] for end in range(len(segments) + 1))
        if any(head in plain for head in heads) or any(_intersect(segments, w) for w in wild):
            found.append(path)
    return found


def split_path(path: str) -> Segments:
    """Return the parts of a path or glob, in the form in which they are compared."""
    text = unicodedata.normalize("NFC", path.strip()).replace("\\", "/").lower()
    return tuple(each for each in posixpath.normpath(text).split("/") if each not in ("", "."))


@lru_cache(maxsize=65_536)
def _split_globs(
    globs: tuple[str, ...], known: frozenset[str]
) -> tuple[frozenset[Segments], tuple[Segments, ...]]:
    """Return the plain paths among globs, and those with wildcards."""
    plain, wild = set(), dict[Segments, None]()
    for glob in filter(str.strip, globs):
        is_plain = glob in known or not _SPECIAL.search(glob)
        if is_plain or "[" in glob or "{" in glob:  # it may be the name of a new file just as well
            plain.add(split_path(glob))
        if is_plain:
            continue
        for each in _expand_braces(glob) if len(glob) <= _LONGEST else ("**",):
            segments = split_path(each)
            if _WILD.search(each):
                wild[_mark_depth(segments)] = None
            else:
                plain.add(segments)
    return frozenset(plain), tuple(wild)


def _mark_depth(segments: Segments) -> Segments:
    """Return a glob in which `**` is a part of its own: `src/**.ts` is `src/**/*.ts`."""
    marked: list[str] = []
    for each in segments:
        marked += ["**", each] if "**" in each and each != "**" else [each]
    return tuple(marked)


def _expand_braces(glob: str) -> Iterable[str]:
    """Return a glob's alternatives; one with too many has wildcards in their place."""
    done, left = [], [glob]
    while left:
        text = left.pop()
        found = _BRACES.search(text)
        if found is None:
            done.append(text)
            continue
        parts = found[1].split(",")
        if len(done) + len(left) + len(parts) > _MOST_BRANCHES:
            return ["**"]
        left += [text[: found.start()] + part + text[found.end() :] for part in parts]
    return done


def _share_line(a: Collection[Segments], b: Collection[Segments]) -> bool:
    """Return whether a path of one set is the same as one of the other, or above it."""
    return _contains_head(a, b) or _contains_head(b, a)


def _contains_head(heads: Collection[Segments], paths: Collection[Segments]) -> bool:
    return any(path[:end] in heads for path in paths for end in range(len(path) + 1))


def _intersect(a: Segments, b: Segments) -> bool:
    """Return whether there is a path that both globs name, or that is below what they name."""
    for one, other in zip(a, b, strict=False):
        if _WILD.search(one) or _WILD.search(other):
            return _can_be_below(a, b)
        if one != other:  # as of most tasks of a long list: no pair of them is worth a cache
            return False
    return _can_be_below(a, b)


@lru_cache(maxsize=65_536)
def _can_be_below(a: Segments, b: Segments) -> bool:
    return _can_be_equal((*a, "**"), (*b, "**"), "**", _can_be_same)


@lru_cache(maxsize=65_536)
def _can_be_same(a: str, b: str) -> bool:
    """Return whether there is a name that both parts of globs match."""
    if not _WILD.search(a) and not _WILD.search(b):
        return a == b
    return _can_be_equal(_split_name(a), _split_name(b), "*", _is_same_character)


def _split_name(name: str) -> list[str]:
    """Return the characters of a part of a glob: `*`, `?` for any single one, or the character."""
    return [
        "*" if each[0] == "*" else "?" if len(each) > 1 else each for each in _TOKEN.findall(name)
    ]


def _is_same_character(a: str, b: str) -> bool:
    return a == b or "?" in (a, b)


def _can_be_equal(
    a: Sequence[str], b: Sequence[str], many: str, is_same: Callable[[str, str], bool]
) -> bool:
    """Return whether there is a sequence that both patterns match.

    Args:
        a: parts of one pattern.
        b: parts of the other.
        many: the part that stands for any number of others, none included.
        is_same: whether two other parts can stand for the same.
    """
    # reached: for each start of b, whether it and the parts of a so far can match the same
    reached = [all(part == many for part in b[:end]) for end in range(len(b) + 1)]
    for part in a:
        before = reached
        reached = [before[0] and part == many]
        for column, other in enumerate(b, 1):
            if many in (part, other):
                reached.append(before[column] or reached[column - 1])
            else:
                reached.append(before[column - 1] and is_same(part, other))
    return reached[-1]
