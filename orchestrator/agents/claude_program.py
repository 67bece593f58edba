"""Find the program of Claude Code, its version, and the command that logs in."""

import importlib.util
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.agents.wording import quote_last_lines
from orchestrator.errors import InfrastructureError
from orchestrator.platform.escape_sequences import strip_escape_sequences
from orchestrator.platform.process import capture

OLDEST_VERSION: Final = (2, 1, 248)
"""The first version that can take a prompt literally (claude-agent-sdk 0.2.186)."""

_INSTALL: Final = "pip install claude-agent-sdk"
_INSTALL_HINT: Final = (
    "install it: https://code.claude.com/docs/en/setup; or install its SDK, which includes it: "
    f"{_INSTALL}"
)
_UPDATE: Final = "claude update"

_OWN_VERSION: Final = re.compile(r"(\d+\.\d+\.\d+)\S* \(Claude Code\)")
_VERSION: Final = re.compile(r"^\s*v?(\d+\.\d+\.\d+)\b", re.MULTILINE)


def find_program() -> Path:
    """Find Claude Code: `claude` on the PATH, else the one in the SDK's wheel.

    Raises:
        InfrastructureError: it is not installed.
    """
    if found := shutil.which("claude"):
        return Path(found)
    if bundled := find_bundled_program():
        return bundled
    raise InfrastructureError("Claude Code is not installed", _INSTALL_HINT, _INSTALL)


def find_bundled_program() -> Path | None:
    """Return the program in the SDK's wheel; None on a platform whose wheel has none."""
    spec = importlib.util.find_spec("claude_agent_sdk")  # which does not import it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder) / "_bundled" / "claude"
        if program.is_file():
            return program
    return None


def read_version(program: Path, env: Mapping[str, str] | None = None) -> str:
    """Return the program's version, as `2.1.329`.

    Args:
        program: its path.
        env: its whole environment; that of this process if None.

    Raises:
        InfrastructureError: the program does not run, or is not Claude Code.
    """
    try:
        done = capture([str(program), "--version"], cwd=Path(), env=env, timeout=30)
    except OSError as error:
        message = f"{program} cannot be run: {error.strerror}"
        raise InfrastructureError(message, _INSTALL_HINT, _INSTALL) from None
    output = strip_escape_sequences(done.text)
    # A wrapper may print lines of its own, with other versions, and exit with a code of its own.
    if found := _OWN_VERSION.search(output):
        return found[1]
    if done.returncode or not (found := _VERSION.search(output)):
        quoted = quote_last_lines(output) or f"exit code {done.returncode}"
        raise InfrastructureError(
            f"{program} --version does not give a version: {quoted}", _INSTALL_HINT, _INSTALL
        )
    return found[1]


def require_version(program: Path, env: Mapping[str, str] | None = None) -> str:
    """Return the program's version, which must be one that can be driven.

    Raises:
        InfrastructureError: it is too old, does not run, or is not Claude Code.
    """
    found = read_version(program, env)
    if tuple(map(int, found.split("."))) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise InfrastructureError(
            f"{program} is Claude Code {found}; {oldest} or newer is needed",
            f"run `{_UPDATE}`",
            _UPDATE,
        )
    return found


def format_login_command(program: Path) -> str:
    """Return the command with which a person logs in: with a path if it is not on the PATH."""
    if shutil.which("claude") == str(program):
        return "claude auth login"
    return f"{shlex.quote(str(program))} auth login"
