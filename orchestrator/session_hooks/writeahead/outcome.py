"""Conclude from the end of a tool call what happened to the destructive command in it.

That is often less than one would expect: `rm -rf dist && npm run build` can fail after dist was
removed, and `git push --force; echo done` succeeds though nothing was pushed. Where the exit code
does not depend on the one command, its entry stays PENDING, with a note of the outcome. Nor does a
failure mean that nothing was done: a `git reset --hard` whose smudge filter fails has overwritten
files, and a push may arrive before the connection breaks.
"""

import re

from orchestrator.session_hooks.writeahead.grammar import COMMITTED, PENDING, ROLLED_BACK

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.session_hooks.writeahead.danger import Danger

_GIT_FATAL = 128
"""Greater exit codes mean that a signal ended the command: bash(1), EXIT STATUS."""
_MAX_ERROR = 10_000
"""Characters at the end of an error that are searched: the search is quadratic."""
_GIT_REFUSAL = (
    r"(?m)^(?:fatal: (?:ambiguous argument |not a git repository|Unable to create '.*index\.lock')"
    r"|To .*\n ! \[(?:remote )?rejected\] .*\nerror: failed to push some refs)"
    r"(?![\s\S]*^(?:fatal|error): )"
)
"""The last error of git where a reset, or a push of one branch, ended before it wrote anything.

After a failure in a filter or a submodule git prints another error. In other languages than English
the message is not recognized, and the entry stays PENDING, which is safe.
"""


def predict_statuses(found: "list[Danger]") -> str:
    """Return the status after a success and the status after a failure, for `determine_status`.

    A failed `rm -r` or `terraform apply` may be half done. Only for a reset, and for a push of one
    branch, git reports that it refused them as a whole.
    """
    from orchestrator.session_hooks.writeahead.danger import DangerKind
    from orchestrator.session_hooks.writeahead.git_commands import find_pushed_refspec

    good = all(
        danger.kind is not DangerKind.UNREAD
        and (danger.command is None or danger.command.determines_success)
        for danger in found
    )
    first = found[0]
    whole = first.kind is DangerKind.HARD_RESET or (
        first.kind is DangerKind.FORCED_PUSH and find_pushed_refspec(first) != ""
    )
    bad = (
        len(found) == 1 and whole and first.command is not None and first.command.determines_failure
    )
    return f"{COMMITTED if good else PENDING} {ROLLED_BACK if bad else PENDING}"


def determine_status(
    meanings: str, failed: str, interrupted: bool, response: "Mapping[str, object]"
) -> tuple[str, str]:
    """Return the status of an entry whose call has ended, and a note of the outcome.

    Args:
        meanings: what `predict_statuses` returned before the call.
        failed: the error of a failed call.
        interrupted: whether a person ended it.
        response: the response of the tool, if it did not fail.
    """
    good, _, bad = meanings.partition(" ")
    if failed:
        code = re.match(r"Exit code (\d+)", failed)
        ended = code is not None and int(code[1]) <= _GIT_FATAL and not interrupted
        last = failed[-_MAX_ERROR:]
        if ended and bad != PENDING and re.search(_GIT_REFUSAL, last):
            return bad, failed
        return PENDING, f"see what of it was done: {failed}"
    if response.get("backgroundTaskId"):
        return PENDING, "it goes on in the background; see how it ended"
    if response.get("interrupted"):
        return PENDING, "it was interrupted; see what of it was done"
    # Claude Code does not report some exit codes but 0 as failures, such as that of `grep`
    # when it found nothing.
    if good != COMMITTED or response.get("returnCodeInterpretation"):
        return PENDING, "the call ended well, which does not speak for this one command"
    return COMMITTED, ""
