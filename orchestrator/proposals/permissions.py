"""Add permission rules to a project's settings.local.json, and remove them again.

Only the text of the rules changes; every other byte stays as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.bom import split_bom
from orchestrator.platform.folders import PROJECT_SETTINGS
from orchestrator.proposals.permission_safety import explain_refusal
from orchestrator.proposals.project_files import (
    change_project_file,
    read_project_file,
    render_diff,
)
from orchestrator.session_hooks import jsontext

LOCAL_SETTINGS: Final = PROJECT_SETTINGS[1]


@dataclass(frozen=True)
class PermissionFile:
    """A project's own settings of a person, with the permissions in them.

    Args:
        project: the project's real path.
        state: the state directory.
    """

    project: Path
    state: Path

    @property
    def path(self) -> Path:
        """The file as it is named in the project."""
        return self.project / LOCAL_SETTINGS

    def read_rules(self) -> tuple[str, ...]:
        """Return the rules under `permissions.allow`.

        Raises:
            UsageError: the file is no valid settings file.
            LoopError: it cannot be read.
        """
        data = read_project_file(self.path, self.project)
        if not data:
            return ()
        _, text = _decode(self.path, data)
        allowed = _find_allowed(_parse(self.path, text))
        return tuple(allowed.value) if allowed else ()

    def preview_addition(self, rules: Sequence[str]) -> str:
        """Return the diff that adds rules.

        Raises:
            UsageError: a rule is never proposed, or the file is no valid settings file.
            LoopError: it cannot be read.
        """
        require_safe(rules)
        before = read_project_file(self.path, self.project)
        return render_diff(LOCAL_SETTINGS, before, self._add(rules, before))

    def add_rules(self, rules: Sequence[str]) -> Path | None:
        """Add the rules that are missing; return the file if it was changed.

        Raises:
            UsageError, LoopError: as for `preview_addition`; the file is unchanged.
        """
        require_safe(rules)
        return self._change(partial(self._add, rules))

    def remove_rules(self, rules: Sequence[str]) -> Path | None:
        """Remove rules; return the file if it was changed.

        Raises:
            UsageError: the file is no valid settings file; it is unchanged.
            LoopError: it cannot be written.
        """
        return self._change(partial(self._remove, rules))

    def _change(self, change: Callable[[bytes | None], bytes | None]) -> Path | None:
        return change_project_file(self.path, self.project, self.state, change)

    def _add(self, rules: Sequence[str], data: bytes | None) -> bytes:
        bom, text = _decode(self.path, data if data and data.strip() else b"{}\n")
        for rule in rules:
            root = _parse(self.path, text)
            unit = jsontext.detect_indentation(text, root)
            permissions, allowed = root.members.get("permissions"), _find_allowed(root)
            if permissions is None:
                text = jsontext.add_item(text, root, {"allow": [rule]}, unit, "permissions")
            elif allowed is None:
                text = jsontext.add_item(text, permissions, [rule], unit, "allow")
            elif rule not in allowed.value:
                text = jsontext.add_item(text, allowed, rule, unit)
        return (bom + text).encode("utf-8")

    def _remove(self, rules: Sequence[str], data: bytes | None) -> bytes | None:
        if data is None:
            return None
        bom, text = _decode(self.path, data)
        for rule in rules:
            allowed = _find_allowed(_parse(self.path, text))
            while allowed and rule in allowed.value:
                text = jsontext.remove_item(text, allowed, allowed.value.index(rule))
                allowed = _find_allowed(_parse(self.path, text))
        return (bom + text).encode("utf-8")


def require_safe(rules: Sequence[str]) -> None:
    """Check that none of some permission rules is one that is never proposed.

    Raises:
        UsageError: one is, or there are none.
    """
    if not rules:
        raise UsageError("there is no permission rule", "write one, as in Bash(go test *)")
    for rule in rules:
        if why := explain_refusal(rule):
            raise UsageError(
                f"{rule} is never allowed this way: {why}",
                f"if you want it all the same, write it into {LOCAL_SETTINGS} yourself",
            )


def _decode(path: Path, data: bytes) -> tuple[str, str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 (byte {error.start})", "save it as UTF-8; it was not changed"
        ) from error
    return split_bom(text)


def _parse(path: Path, text: str) -> jsontext.Node:
    try:
        root = jsontext.parse_json(text, "permissions")
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not valid JSON, and Claude Code ignores it: {error}",
            "fix it (JSON has no comments); it was not changed",
        ) from error
    what = _describe_misfit(root)
    if what:
        raise UsageError(f"{path} is not a settings file: {what}", "fix it; it was not changed")
    return root


def _describe_misfit(root: jsontext.Node) -> str:
    if not isinstance(root.value, dict):
        return "it is not an object"
    permissions = root.members.get("permissions")
    if permissions and not isinstance(permissions.value, dict):
        return "`permissions` is not an object"
    allowed = permissions.value.get("allow", []) if permissions else []
    if not isinstance(allowed, list) or not all(isinstance(each, str) for each in allowed):
        return "permissions.allow is not a list of texts"
    return ""


def _find_allowed(root: jsontext.Node) -> jsontext.Node | None:
    permissions = root.members.get("permissions")
    return permissions.members.get("allow") if permissions else None
