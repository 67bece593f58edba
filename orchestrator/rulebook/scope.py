"""Read and write the scope of a file in `.claude/rules`: the globs in its front matter.

Claude Code (2.1.329) loads such a file once the agent touches a file that a glob under `paths:`
matches; without `paths:`, at the start. It takes a list, a string, or a string with commas; with
YAML that is broken, the file silently never loads. A glob without a slash matches at any depth,
`!` excludes nothing, and an absolute path never matches.
"""

import math
import re
from collections.abc import Iterable
from typing import Final

from orchestrator.errors import RulebookError
from orchestrator.rulebook.document import find_front_matter

MOST_GLOBS: Final = 20
"""Globs that a rule keeps of those a teacher gives it."""
_LONGEST_GLOB: Final = 200
_LONGEST_FRONT_MATTER: Final = 20_000
_MOST_BRANCHES: Final = 64
_MOST_WILDCARDS: Final = 5
"""One more, and a path can be made for which matching takes seconds."""
_MOST_MATCHED: Final = 100
_COMMA: Final = re.compile(r",(?![^{]*\})")
_EVERYTHING: Final = re.compile(r"[*/]+")


def render_front_matter(paths: tuple[str, ...]) -> bytes:
    """Return the front matter of a file for rules of this scope; empty without a scope."""
    if not paths:
        return b""
    import yaml

    lines = yaml.safe_dump(
        {"paths": list(paths)}, allow_unicode=True, default_style='"', width=10_000
    ).replace('"paths":', "paths:")
    # Claude Code ends the front matter at the first `---`, also within a quoted string.
    lines = lines.replace("---", r"-\x2d-")
    return f"---\n{lines}---\n".encode()


def parse_scope(data: bytes) -> tuple[str, ...]:
    """Return the globs of a file in `.claude/rules`; none if it is always loaded.

    Raises:
        RulebookError: its front matter is broken, so that Claude Code never loads it, or it is
            too long to be read.
    """
    text = find_front_matter(data)
    if text is None:
        return ()
    if len(text) > _LONGEST_FRONT_MATTER:
        raise RulebookError(
            f"its front matter is longer than {_LONGEST_FRONT_MATTER} characters", "shorten it"
        )
    import yaml

    try:
        # It makes nothing but strings: no date, number or zone in there can be out of range.
        fields = yaml.BaseLoader(text).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError):
        raise RulebookError(
            "its front matter is not valid YAML, so Claude Code never loads it", "correct it"
        ) from None
    return _parse_globs(fields.get("paths") if isinstance(fields, dict) else None)


def filter_globs(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the usable globs of a scope that a teacher or a person gave.

    Globs that never match, lead out of the project, exclude, or hide characters are dropped.
    """
    kept = (path.strip().removeprefix("./") for path in paths)
    return tuple(dict.fromkeys(path for path in kept if _is_glob(path)))[:MOST_GLOBS]


def is_in_scope(paths: tuple[str, ...], files: Iterable[str]) -> bool:
    """Return whether touching these files loads a rule of this scope."""
    if not paths:
        return True
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.MATCHBASE
    # A glob from a file that people edit may be anything, but costs no run.
    bounded = list(filter(_is_bounded, paths))[:_MOST_MATCHED]
    globs = [f"{path}**" if path.endswith("/") else path for path in bounded]
    return any(glob.globmatch(file, globs, flags=flags, limit=0) for file in files)


def _parse_globs(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _COMMA.split(value)
    if not isinstance(value, list):
        return ()
    globs = (each.strip() for each in value if isinstance(each, str))
    return tuple(dict.fromkeys(filter(None, globs)))


def _is_glob(path: str) -> bool:
    return (
        0 < len(path) <= _LONGEST_GLOB
        and path.isprintable()
        and not path.startswith(("/", "~", "!", "@"))
        and ".." not in path.split("/")
        and "\\" not in path
        and "---" not in path  # it would end the front matter
        and not _COMMA.search(path)
        and not _EVERYTHING.fullmatch(path)
        and _is_bounded(path)
    )


def _is_bounded(path: str) -> bool:
    """Return whether a glob has few alternatives and wildcards, so that matching it is fast."""
    if len(path) > _LONGEST_GLOB or ".." in path:
        return False
    # A comma adds an alternative, a pair of braces multiplies them: there are no more than this.
    branches = math.prod(1 + part.count(",") for part in path.split("}"))
    return branches <= _MOST_BRANCHES and len(re.findall(r"\*+", path)) <= _MOST_WILDCARDS
