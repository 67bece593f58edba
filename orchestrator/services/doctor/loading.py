"""Check that Claude Code sends CLAUDE.md and the learned rules: in a run, and in your `claude`."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_code import ClaudeCodeAgent
from orchestrator.agents.claude_environment import find_config_directory
from orchestrator.agents.claude_program import find_program
from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.platform import files
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.rulebook.document import has_content
from orchestrator.rulebook.scope import is_in_scope
from orchestrator.services.doctor.causes import list_general_causes
from orchestrator.services.doctor.probe import Probe, probe_agent, probe_program
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.doctor.written_rules import (
    Obstacle,
    WrittenRule,
    iter_source_folders,
    list_written_rules,
)
from orchestrator.services.trust import format_command
from orchestrator.services.wiring import build_agent

_MOST_FILES: Final = 5000
_MOST_MENTIONS: Final = 3
_MOST_CAUSES: Final = 8
_MOST_NAMED: Final = 4
_LIMIT: Final = 4_000_000


@dataclass(frozen=True)
class _View:
    """Whose request is looked at."""

    name: str
    """Begins a sentence: `a run`, ``plain `claude` ``."""
    probe: Probe
    causes: Sequence[Obstacle]
    """What keeps any file from being loaded."""
    has_mentions: bool = False
    """Whether files were mentioned to which the scoped rules apply."""


def check_loading(subject: Subject) -> Iterator[Check]:
    """Check what a request of the real program contains; it goes to this machine, and is free."""
    try:
        program = find_program()
    except LoopError as error:
        yield skip(Link.LOADED, error.message)
        return
    rules = list_written_rules(subject.project, find_config_directory(subject.environment))
    if view := _view_run(subject, program):
        yield from _judge_view(subject.project, view, rules)
    if untrusted := subject.list_untrusted(subject.project):
        text = f"plain `claude`, as you have not trusted {', '.join(untrusted)}"
        yield skip(Link.LOADED, text, format_command(subject.project))
    else:
        view = _view_plain(subject, program, rules)
        yield from _judge_view(subject.project, view, rules)


def _view_run(subject: Subject, program: Path) -> _View | None:
    """Return what a run sends; None if the agent is not Claude Code."""
    env = subject.user_environment
    agent = build_agent(subject.config, env, None, subject.list_untrusted)
    if not isinstance(agent, ClaudeCodeAgent):
        return None
    causes = list_general_causes(env, program, subject.project)
    return _View("a run", probe_agent(agent, env, subject.project), causes)


def _view_plain(subject: Subject, program: Path, rules: Sequence[WrittenRule]) -> _View:
    """Return what the user's own `claude` sends."""
    mentions = _choose_mentions(subject.project, rules)
    env = subject.environment
    causes = list_general_causes(env, program, subject.project)
    probe = probe_program(program, env, subject.project, mentions)
    return _View("plain `claude`", probe, causes, bool(mentions))


def _choose_mentions(project: Path, rules: Sequence[WrittenRule]) -> list[str]:
    """Return a file for each scope of a rule."""
    scopes = dict.fromkeys(rule.paths for rule in rules if rule.paths and not rule.obstacle)
    if not scopes:
        return []
    names = list(islice(_iter_names(project), _MOST_FILES))
    found = [next((n for n in names if is_in_scope(scope, (n,))), "") for scope in scopes]
    return list(dict.fromkeys(filter(None, found)))[:_MOST_MENTIONS]


def _iter_names(project: Path) -> Iterator[str]:
    for above, names in iter_source_folders(project):
        for name in names:
            path = os.path.relpath(above / name, project)
            if path.isprintable() and not set(path) & set(" '\"\\"):
                yield path


def _judge_view(project: Path, view: _View, rules: Sequence[WrittenRule]) -> Iterator[Check]:
    if not view.probe.text:
        yield fail(Link.LOADED, f"{view.name} sent no request", view.probe.problem, "claude -p ok")
        return
    missing = [rule for rule in rules if not view.probe.contains(rule.text)]
    waiting = [rule for rule in missing if rule.paths and not rule.obstacle]
    nested = [rule for rule in missing if rule.folder]
    lost = [rule for rule in missing if rule not in waiting and rule not in nested]
    yield from _report_missing(view, lost, is_broken=True)
    yield from _report_missing(view, nested, is_broken=False)
    claude_md = project / CLAUDE_MD
    is_written = has_content(files.read_bytes(claude_md, _LIMIT))
    is_loaded = view.probe.loads_file(claude_md)
    if is_written and not is_loaded and not lost:
        yield _report_file(view, claude_md)
    elif not lost:
        yield _report_success(view, rules, waiting, is_loaded)


def _report_missing(
    view: _View, missing: Sequence[WrittenRule], *, is_broken: bool
) -> Iterator[Check]:
    """Yield one line for the rules that are missing for the same cause."""
    by_cause: dict[Obstacle, list[WrittenRule]] = defaultdict(list)
    for rule in missing:
        by_cause[_choose_cause(view, rule.obstacle, rule.file)].append(rule)
    if len(by_cause) > _MOST_CAUSES:
        several = f"the rules of {len(by_cause)} files and places"
        yield warn(Link.LOADED, f"{view.name} does not send {several}; these are the first")
    for obstacle, rules in islice(by_cause.items(), _MOST_CAUSES):
        names = [f"{rule.id} of {rule.file.name}" for rule in rules[:_MOST_NAMED]]
        more = f" and {len(rules) - _MOST_NAMED} more" if rules[_MOST_NAMED:] else ""
        text = f"{view.name} does not send {', '.join(names)}{more}"
        if is_broken:
            yield fail(Link.LOADED, text, obstacle.cause, obstacle.command, Fault.CONFIGURATION)
        else:
            yield warn(Link.LOADED, text, obstacle.cause, obstacle.command)


def _report_file(view: _View, path: Path) -> Check:
    obstacle = _choose_cause(view, None, path)
    text = f"{view.name} does not send {path.name}"
    return fail(Link.LOADED, text, obstacle.cause, obstacle.command, Fault.CONFIGURATION)


def _report_success(
    view: _View, rules: Sequence[WrittenRule], waiting: Sequence[WrittenRule], is_loaded: bool
) -> Check:
    always = [rule for rule in rules if not rule.paths and not rule.folder]
    sent = sum(view.probe.contains(rule.text) for rule in always)
    what = [CLAUDE_MD] if is_loaded else []
    if always:
        what.append(f"{sent} of {format_count(len(always), 'learned rule')}")
    text = f"{view.name} sends {' and '.join(what) or 'its request; there are no rules yet'}"
    scoped = [rule for rule in rules if rule.paths]
    if scoped and len(waiting) < len(scoped):
        text += f"; {len(scoped) - len(waiting)} scoped to files, when one is mentioned"
    if waiting:
        names = ", ".join(rule.id for rule in waiting[:_MOST_NAMED])
        text += f"; scoped to files, sent once one is used: {names}"
        if view.has_mentions:
            cause = "a file in the scope was mentioned, or none was found"
            command = f"${{EDITOR:-vi}} {shlex.quote(str(waiting[0].file))}"
            return warn(Link.LOADED, text, cause, command)
    return succeed(Link.LOADED, text)


def _choose_cause(view: _View, obstacle: Obstacle | None, path: Path) -> Obstacle:
    """Return why something is missing: what is wrong with its place, or what concerns all."""
    general = next(iter(view.causes), None)
    if not view.probe.loads_instructions and general and "Excludes" not in general.cause:
        return general
    unknown = Obstacle(
        "none of the known causes is there; see what it loads with /memory in a session",
        f"cd {shlex.quote(str(path.parent))} && claude",
    )
    return obstacle or general or unknown
