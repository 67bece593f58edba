"""Check the hooks: where they are installed, and whether Claude Code can call them."""

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from orchestrator.platform import files
from orchestrator.platform.folders import PROJECT_SETTINGS, SETTINGS
from orchestrator.platform.process import capture
from orchestrator.services.doctor.results import (
    Check,
    Fault,
    Link,
    Repair,
    fail,
    skip,
    succeed,
    warn,
)
from orchestrator.services.doctor.subject import Subject
from orchestrator.session_hooks.settings import (
    EVENTS,
    MARK,
    build_hook_command,
    global_settings,
    install_hooks,
)
from orchestrator.storage.location import HOOK_ERROR_LOG, HOOKS

_SECONDS: Final = 20.0
_RECENT_SECONDS: Final = 7 * 24 * 3600.0
_LIMIT: Final = 1 << 20
_SHELL_END: Final = " 2>/dev/null || :"


def check_hooks(subject: Subject) -> Iterator[Check]:
    """Check the hooks in the project's settings and in the user's own."""
    places = {subject.project / name: "local" for name in PROJECT_SETTINGS}
    places |= {global_settings(subject.environment): "global"}
    found = [each for path, where in places.items() for each in _check_file(path, where)]
    if found:
        yield from found
    else:
        yield succeed(
            Link.HOOKS, "not installed; they are optional: `orchestrator hooks install local`"
        )
    yield from _check_log(subject)


def _check_file(path: Path, where: str) -> Iterator[Check]:
    data = files.read_bytes(path, _LIMIT)
    if not data.strip():
        return
    try:
        settings = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        yield fail(
            Link.HOOKS, f"Claude Code ignores {path}", f"it is not valid JSON: {error}",
            f"${{EDITOR:-vi}} {shlex.quote(str(path))}", Fault.CONFIGURATION,
        )  # fmt: skip
        return
    if problem := find_schema_problem(settings):
        text = f"Claude Code skips a hook in {path} without a word"
        command = f"${{EDITOR:-vi}} {shlex.quote(str(path))}"
        yield warn(Link.HOOKS, text, problem, command)
    if MARK.encode() in data and isinstance(settings, dict):
        yield _check_own_hooks(path, where, settings)


def _check_own_hooks(path: Path, where: str, settings: Mapping[str, Any]) -> Check:
    if settings.get("disableAllHooks") is True:
        command = f"${{EDITOR:-vi}} {shlex.quote(str(path))}"
        return warn(
            Link.HOOKS, f"the hooks in {path} do not run", "disableAllHooks is true", command
        )
    install = f"orchestrator hooks install {where}"
    if where == "local":
        install += f" --project-dir {shlex.quote(str(path.parent.parent))}"
    repair = None
    if path.name == SETTINGS:  # where `hooks install` writes
        repair = Repair(f"install the hooks in {path} again", partial(_reinstall, path))
    commands = dict(_iter_own_commands(settings))
    expected = build_hook_command()
    for command in dict.fromkeys(commands.values()):
        if problem := _try_command(command):
            return fail(
                Link.HOOKS, f"the hooks in {path} record nothing", problem, install, repair=repair
            )
        if command != expected:
            text = f"the hooks in {path} are of another installation"
            return warn(Link.HOOKS, text, f"they run {command[:120]}", install, repair)
    if missing := [event for event in EVENTS if event not in commands]:
        text = f"the hooks in {path} miss {', '.join(missing)}"
        return warn(
            Link.HOOKS, text, "they were edited, or are of an earlier version", install, repair
        )
    return succeed(Link.HOOKS, f"installed in {path}, and their program runs")


def _reinstall(path: Path) -> None:
    install_hooks(path)


def find_schema_problem(settings: object) -> str:
    """Return the first hook that is not of the schema of Claude Code; empty if all are.

    Claude Code (2.1.332) skips such a group and runs the others.
    """
    if not isinstance(settings, dict):
        return "it is not a JSON object"
    hooks = settings.get("hooks", {})
    if not isinstance(hooks, dict):
        return "`hooks` is not an object"
    for event, groups in hooks.items():
        if not isinstance(groups, list):
            return f"hooks.{event} is not a list"
        for number, group in enumerate(groups):
            if problem := _find_group_problem(group):
                return f"hooks.{event}[{number}] {problem}"
    return ""


def _find_group_problem(group: object) -> str:
    if not isinstance(group, dict):
        return "is not an object"
    if not isinstance(group.get("matcher", ""), str):
        return "has a matcher that is not text"
    if not isinstance(group.get("hooks"), list):
        return "has no list `hooks`"
    for hook in group["hooks"]:
        if not isinstance(hook, dict) or not isinstance(hook.get("type"), str):
            return "has a hook without a type"
        if hook["type"] == "command" and not isinstance(hook.get("command"), str):
            return "has a hook without a command"
    return ""


def _iter_own_commands(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hooks = settings.get("hooks", {})
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for group in groups if isinstance(groups, list) else ():
            if _find_group_problem(group):
                continue
            for hook in group["hooks"]:
                command = str(hook.get("command", ""))
                if command.rstrip().endswith(MARK):
                    yield event, command


def _try_command(command: str) -> str:
    """Run the program of a hook on an event that it ignores; return why it does not run."""
    plain = command.rstrip().removesuffix(MARK).rstrip().removesuffix(_SHELL_END)
    try:
        words = shlex.split(plain)
    except ValueError as error:
        return f"its command cannot be parsed: {error}"
    for word in words:
        if word.startswith("/") and not files.exists(word):
            return f"{word} does not exist"
    if command != build_hook_command():
        return ""  # a repository may name any program with our mark: it is not started
    try:
        done = capture(words, cwd=Path("/"), stdin=b"{}", timeout=_SECONDS)
    except OSError as error:
        return f"{words[0]} cannot be run: {error.strerror}"
    return f"it ends with {done.returncode}: {done.text.strip()[-200:]}" if done.returncode else ""


def _check_log(subject: Subject) -> Iterator[Check]:
    """Check whether the hook has logged an error of its own lately."""
    if subject.state is None:
        yield skip(Link.HOOKS, "the hook's log was not read, as the state directory is not known")
        return
    log = subject.state / HOOKS / HOOK_ERROR_LOG
    try:
        age = time.time() - log.stat().st_mtime
    except OSError:
        return
    lines = files.read_text(log, _LIMIT).splitlines()
    if lines and age < _RECENT_SECONDS:
        yield warn(
            Link.HOOKS, "a hook had an error", lines[-1][:300], f"tail {shlex.quote(str(log))}"
        )
