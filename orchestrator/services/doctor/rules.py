"""Check the files of the learned rules: that they can be written, and that their block parses."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.agents.claude_environment import find_config_directory
from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.platform import files
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.doctor.written_rules import list_rule_files, list_written_rules
from orchestrator.services.rulebooks import require_loaded, require_writable
from orchestrator.storage.state_directory import writes_folder

_COMMENT: Final = re.compile(r"^<!--\s*rule\s+([\w-]+)", re.MULTILINE)
_NAMES: Final = (CLAUDE_MD, AGENTS_MD)
_LIMIT: Final = 4_000_000


def check_rules(subject: Subject) -> Iterator[Check]:
    """Check that a new rule can be written and would be loaded, and that each id is unique."""
    if subject.state is None or files.list_folder(writes_folder(subject.state)):
        # To look would complete the write.
        yield skip(Link.RULES, "a write was cut short; see the line about the state directory")
        return
    edit = "${EDITOR:-vi} " + shlex.quote(str(subject.project / CLAUDE_MD))
    try:
        require_writable(subject.config, subject.project)
        require_loaded(subject.config, subject.project)
    except LoopError as error:
        is_machine = isinstance(error, InfrastructureError)
        fault = Fault.MACHINE if is_machine else Fault.CONFIGURATION
        yield fail(Link.RULES, error.message, error.hint, edit, fault)
        return
    yield from _check_ids(subject.project)
    config_folder = find_config_directory(subject.environment)
    written = list_written_rules(subject.project, config_folder)
    rules = subject.config.rules
    count = format_count(len(written), "learned rule") if written else "no learned rules"
    where = ", ".join(dict.fromkeys(_relate(each.file, subject.project) for each in written))
    found = f"{count} in {where}" if written else f"{count} yet"
    text = f"{found}; a new one can be written (rules.target: {rules.target})"
    if rules.max_rules and len(written) > rules.max_rules:
        cause = f"there are more than rules.max_rules: {rules.max_rules}"
        yield warn(Link.RULES, text, cause, "orchestrator rules list")
    else:
        yield succeed(Link.RULES, text)


def _check_ids(project: Path) -> Iterator[Check]:
    paths = [*(project / name for name in _NAMES), *list_rule_files(project)]
    for path in paths:
        text = files.read_bytes(path, _LIMIT).decode("utf-8", "replace").replace("\r\n", "\n")
        twice = [rule for rule, count in Counter(_COMMENT.findall(text)).items() if count > 1]
        if twice:
            yield warn(
                Link.RULES,
                f"{_relate(path, project)} has the id {', '.join(twice)} more than once",
                "the later rules have lost their history",
                f"grep -n {shlex.quote(twice[0])} {shlex.quote(str(path))}",
            )


def _relate(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
