"""Recognize that the code which is being edited does not compile, or does not pass a linter.

That is how programs are written, not a mistake in the use of a project: the next edit answers it.
Both must hold: a program that reads code was run, and it named a place in a file.
"""

import re
from typing import Final

from orchestrator.sessions.calls import programs
from orchestrator.sessions.calls.suite_outputs import Runner, find_failed_case

_DIAGNOSTIC: Final = re.compile(
    r"\n(?:\[[^\]\n]{1,40}\] )?(?:vet: )?(?:"
    r"[^\s:()]{1,200}\.\w{1,10}:\d{1,7}(?::\d{1,7})?: ?\S"
    r"|[^\s:()]{1,200}\.\w{1,10}\(\d{1,7},\d{1,7}\): (?:error|warning)"
    r"|[^\s:()]{1,200}\.\w{1,10}:\d{1,7}:\d{1,7} - error "
    r"| {1,8}\d{1,7}:\d{1,7} {1,8}(?:error|warning) "
    r"| {0,8}--> [^\s:]{1,200}:\d{1,7}:\d{1,7}"
    r"|error\[E\d{4}\]: )"
)
"""How compilers and linters name a place."""
_NOT_OF_CODE: Final = (
    "no required module provides", "go.mod", "cannot find module", "Cannot find module",
    "No module named", "could not import", "cannot find package", "is not in std",
)  # fmt: skip
"""What they say at a place of something that is not there: the project must be set up."""
_BUILD_FAILED: Final = (
    "[build failed]", "[setup failed]", "error: could not compile", "COMPILATION ERROR",
    "Compilation failed", "Test suite failed to run", " error during collection",
    " errors during collection", "): error CS",
)  # fmt: skip
"""What runners say when they could not begin."""
_GO_PACKAGE: Final = re.compile(r"\n# [^\n]{1,300}\n(?:vet: )?[^\s:]{1,300}\.go:\d{1,7}:")


def is_code_error(text: str, line: str) -> bool:
    """Return whether an output says where the code is wrong.

    Args:
        text: an output that `cut_output` gave.
        line: what it says first.
    """
    return _DIAGNOSTIC.search(text) is not None and not any(each in line for each in _NOT_OF_CODE)


def reads_code(name: str) -> bool:
    """Return whether a command, by its name, compiles or checks code: `npm run lint`."""
    program, _, rest = name.partition(" ")
    if program == "go":
        return rest in programs.GO_COMPILES
    last = name.rpartition(" ")[2]
    is_task = bool(rest) and last.partition(":")[0] in programs.CODE_TASKS
    return is_task or last in programs.CHECKERS or program in programs.COMPILERS


def is_build_failure(text: str, runner: Runner) -> bool:
    """Return whether tests are red because they could not begin, as an output says."""
    if find_failed_case(text, runner):
        return False
    return any(each in text for each in _BUILD_FAILED) or _GO_PACKAGE.search(text) is not None
