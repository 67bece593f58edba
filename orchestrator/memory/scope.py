"""The scope of a file in `.claude/rules`: the globs in its front matter.

Claude Code (2.1.329) loads such a file once the agent touches a file that a glob under `paths:`
matches; without `paths:`, at the start. It takes a list, a string, or a string with commas; with
YAML that is broken, the file silently never loads. A glob without a slash matches at any depth,
`!` excludes nothing, and an absolute path never matches.
"""

import re
from collections.abc import Iterable
from typing import Final

from orchestrator.errors import RulebookError

MOST_GLOBS: Final = 20
"""Globs that a rule keeps of those a teacher gives it."""
_LONGEST_GLOB: Final = 200
_FRONT_MATTER: Final = re.compile(
    r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE
)
_COMMA: Final = re.compile(r",(?![^{]*\})")


def front_matter(paths: tuple[str, ...]) -> bytes:
    """The beginning of a file for rules of this scope; nothing where they hold everywhere."""
    if not paths:
        return b""
    import yaml

    lines = yaml.safe_dump(
        {"paths": list(paths)}, allow_unicode=True, default_style='"', width=10_000
    ).replace('"paths":', "paths:")
    return f"---\n{lines}---\n".encode()


def scope_of(data: bytes) -> tuple[str, ...]:
    """The globs of a file in `.claude/rules`; none where it holds everywhere.

    Raises:
        RulebookError: its front matter is broken, so that Claude Code never loads it.
    """
    found = _FRONT_MATTER.match(data.decode("utf-8", "replace"))
    if not found:
        return ()
    import yaml

    try:
        fields = yaml.safe_load(found[1])
    except yaml.YAMLError:
        raise RulebookError(
            "its front matter is not valid YAML, so Claude Code never loads it", "mend it"
        ) from None
    return _globs(fields.get("paths") if isinstance(fields, dict) else None)


def safe_globs(paths: Iterable[str]) -> tuple[str, ...]:
    """What a teacher, or a person, gave as a scope, without what could never match.

    Nothing that leads out of the project, excludes, or hides characters.
    """
    kept = (path.strip().removeprefix("./") for path in paths)
    return tuple(dict.fromkeys(path for path in kept if _is_glob(path)))[:MOST_GLOBS]


def covers(paths: tuple[str, ...], files: Iterable[str]) -> bool:
    """Whether touching these files loads a rule of this scope."""
    if not paths:
        return True
    from wcmatch import glob

    flags = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB | glob.MATCHBASE
    globs = [f"{path}**" if path.endswith("/") else path for path in paths]
    return any(glob.globmatch(file, globs, flags=flags) for file in files)


def _globs(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _COMMA.split(value)
    if not isinstance(value, list):
        return ()
    return tuple(dict.fromkeys(str(each).strip() for each in value if str(each).strip()))


def _is_glob(path: str) -> bool:
    return (
        0 < len(path) <= _LONGEST_GLOB
        and path.isprintable()
        and not path.startswith(("/", "~", "!", "@"))
        and ".." not in path.split("/")
        and "\\" not in path
        and path not in ("*", "**", "**/*")
    )
