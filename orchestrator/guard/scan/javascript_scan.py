"""Looks in added JavaScript for what fools tests, by patterns: there is no tree to read."""

import re
from collections.abc import Collection, Iterator
from typing import Final

from orchestrator.guard.scan.syntax import Suspicion

_EXIT: Final = re.compile(
    r"\bprocess\s*(?:\?\.|\.)\s*(?:exit|reallyExit|abort)\s*\(|process\.kill\(\s*process\.pid"
    r"|process\[['\"]exit['\"]\]"
)
_SUCCESS: Final = re.compile(r"exit\s*\(\s*(?:0\s*)?\)|exitCode\s*=\s*0")
_PROGRAM: Final = re.compile(r"(?:^|/)(?:bin|scripts?|tools?|cli)(?:/|\.[cm]?[jt]s$)")
_PATTERNS: Final = (
    (
        re.compile(
            r"\bassert(?:\.strict)?(?:\.\w+|\[[^\]]+\])\s*=[^=]"
            r"|require\(['\"](?:node:)?(?:assert|test)[^)]*\)(?:\.\w+)+\s*=[^=]"
            r"|Object\.(?:assign|define\w+)\(\s*(?:assert|require\(['\"](?:node:)?assert)"
            r"|\b(?:globalThis|global)\.(?:expect|assert|it|test|describe)\s*=[^=]"
        ),
        "changes the assertions",
    ),
    (
        re.compile(
            r"JEST_WORKER_ID|NODE_TEST_CONTEXT|VITEST(?:_WORKER_ID)?\b|MOCHA_\w+"
            r"|process\.(?:argv|execArgv)[^\n]*(?:--test\b|\.test\.|jest|mocha|vitest)"
        ),
        "acts differently under tests",
    ),
    (
        re.compile(r"\.stack\b[^\n]*(?:includes|match|test|indexOf)\([^\n]*test"),
        "decides by its callers",
    ),
    (re.compile(r"process\.on\(\s*['\"]exit['\"][^\n]*exitCode\s*=\s*0"), "sets the exit code"),
    (
        re.compile(r"require\.cache\b[^\n]*=[^=]|Module\._load\s*=|Module\.prototype\.\w+\s*="),
        "replaces modules",
    ),
)


def iter_javascript_suspicions(
    source: str, lines: Collection[int] | None, path: str
) -> Iterator[Suspicion]:
    """Yield the suspicious constructs in the added lines of a JavaScript file.

    Args:
        source: its whole content.
        lines: numbers of its added lines; None for all of them.
        path: its name.
    """
    program = source.startswith("#!") or _PROGRAM.search(path) is not None
    plain = _blank_comments(source)
    depth = 0
    for number, line in enumerate(plain.splitlines(), 1):
        if lines is None or number in lines:
            if not program and _EXIT.search(line) and "require.main" not in plain:
                early = depth == 0 or re.search(r"\bset(?:Immediate|Timeout)\b|nextTick", line)
                if early or _SUCCESS.search(line):
                    yield Suspicion(number, "ends the process", bool(early), "process.exit")
            for pattern, text in _PATTERNS:
                if match := pattern.search(line):
                    yield Suspicion(number, f"{text}: {match[0].strip()[:60]}", True)
        depth += line.count("{") - line.count("}")


def _blank_comments(source: str) -> str:
    """Return the source with comments blanked, line by line."""
    return re.sub(
        r"(\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|//[^\n]*|/\*.*?\*/",
        lambda match: match[1] or re.sub(r"[^\n]", " ", match[0]),
        source,
        flags=re.DOTALL,
    )
