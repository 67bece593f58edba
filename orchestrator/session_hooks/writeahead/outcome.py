"""What the end of a tool call says of the destructive command in it: often less than one thinks.

`rm -rf dist && npm run build` fails with dist gone, and `git push --force; echo done` ends well
though nothing was pushed. Where the exit code does not speak for the one command, its entry stays
PENDING, with the outcome noted. Nor does a failure say that nothing was done: a `git reset --hard`
whose smudge filter fails has overwritten files, and a push may arrive before the connection breaks.
"""

import re

from orchestrator.session_hooks.writeahead.grammar import COMMITTED, PENDING, ROLLED_BACK

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.session_hooks.writeahead.danger import Danger

_GIT_FATAL = 128
"""Beyond it a signal ended the command: bash(1), EXIT STATUS."""
_GIT_REFUSAL = (
    r"(?m)^(?:fatal: (?:ambiguous argument |not a git repository|Unable to create '.*index\.lock')"
    r"|To .*\n ! \[(?:remote )?rejected\] .*\nerror: failed to push some refs)"
    r"(?![\s\S]*^(?:fatal|error): )"
)
"""git's last word where a reset, or a push of one branch, ended before it wrote anything.

A failure on the way, in a filter or a submodule, ends with another line of git's own. Git that
speaks another language than English is not understood, and so not believed.
"""


def predict_statuses(found: "list[Danger]") -> str:
    """What the status becomes if the call ends well, and if it fails, for `status`.

    A failed `rm -r` or `terraform apply` may have done half of it. Of a reset, and of a push of
    one branch, git says so if it refused them as a whole.
    """
    from orchestrator.session_hooks.writeahead.danger import DangerKind
    from orchestrator.session_hooks.writeahead.git_commands import find_pushed_refspec

    good = all(danger.command is None or danger.command.determines_success for danger in found)
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
    """The status of an entry whose call has ended, and what to note of it.

    Args:
        meanings: what the function of this name said before the call.
        failed: the error of a failed call.
        interrupted: whether a person ended it.
        response: what the tool of a call that did not fail said.
    """
    good, _, bad = meanings.partition(" ")
    if failed:
        code = re.match(r"Exit code (\d+)", failed)
        ended = code is not None and int(code[1]) <= _GIT_FATAL and not interrupted
        if ended and bad != PENDING and re.search(_GIT_REFUSAL, failed):
            return bad, failed
        return PENDING, f"see what of it was done: {failed}"
    if response.get("backgroundTaskId"):
        return PENDING, "it goes on in the background; see how it ended"
    if response.get("interrupted"):
        return PENDING, "it was interrupted; see what of it was done"
    # Claude Code takes some exit codes but 0 for no failure: `grep` that found nothing.
    if good != COMMITTED or response.get("returnCodeInterpretation"):
        return PENDING, "the call ended well, which does not speak for this one command"
    return COMMITTED, ""
