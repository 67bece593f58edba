"""Check the workflow behind a webhook: its version, whom it lets in, and what n8n saves of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator.config import Config
from orchestrator.errors import UsageError
from teacher.errors import TeacherMisconfigured
from teacher.saved_executions import HOW_TO_DROP, ExecutionWatch, LookError, SavedExecutions
from teacher.secret import read_secret
from teacher.strangers import Reception, Stranger, send_strangers
from teacher.workflow import WORKFLOW_VERSION

API_KEY_VARIABLE: Final = "N8N_API_KEY"
"""The variable with a key of n8n's public API."""

_HOW_TO_UPDATE: Final = (
    "To update it without losing edits, export it (... > Export JSON): `orchestrator teacher "
    "workflow --diff FILE` shows what differs, and with --update FILE it prints the new one "
    "for import."
)
_BY_HAND: Final = "By hand: the tab Executions of the workflow in n8n must not list this test."


@dataclass
class WorkflowCheck:
    """Checks one workflow, in parts: `start` goes before the request, all others after it.

    Args:
        config: names the webhook.
        environment: has the key of n8n's API, if any.
        say: prints a label and a text.
    """

    config: Config
    environment: Mapping[str, str]
    say: Callable[[str, str], None]
    _watch: ExecutionWatch | None = field(default=None, init=False)
    _obstacle: LookError | None = field(default=None, init=False)

    def start(self) -> None:
        """Start to watch the executions, if there is a key."""
        try:
            key = read_secret(API_KEY_VARIABLE, self.environment.get(API_KEY_VARIABLE, ""))
            if not key:
                raise LookError(
                    f"{API_KEY_VARIABLE} is not set",
                    f"Or set {API_KEY_VARIABLE} to a key of Settings > n8n API with the scopes "
                    "of Read only.",
                )
            watch = ExecutionWatch(self.config.n8n.webhook_url, key)
            watch.start()
            self._watch = watch
        except TeacherMisconfigured as error:
            self._obstacle = LookError(error.message, f"{error.hint[:1].upper()}{error.hint[1:]}.")
        except LookError as error:
            self._obstacle = error

    def report_version(self, version: int | None) -> None:
        """Print which version of the workflow has answered."""
        self.say("Workflow", describe_version(version))

    def report_saving(self) -> None:
        """Print whether n8n saves the executions of the workflow."""
        try:
            if self._obstacle or not self._watch:
                raise self._obstacle or LookError("the test did not start")
            text = describe_saving(self._watch.finish())
        except LookError as error:
            text = " ".join(
                each for each in (f"cannot look: {error.problem}.", _BY_HAND, error.hint) if each
            )
        self.say("Saved", text)

    def report_strangers(self, *, only_if_open: bool = False) -> tuple[Stranger, ...]:
        """Print whether somebody without the token gets in, and return who does.

        Args:
            only_if_open: whether to print nothing if nobody does.
        """
        n8n = self.config.n8n
        signed = n8n.auth == "jwt"
        header = "Authorization" if signed else n8n.token_header
        strangers = send_strangers(n8n.webhook_url, header, signed=signed)
        entered = tuple(each for each in strangers if each.reception is Reception.LET_IN)
        if entered or not only_if_open:
            self.say("Strangers", describe_strangers(strangers))
        return entered


def describe_version(version: int | None) -> str:
    """Return what the version of a workflow means, and what to do about it."""
    if version is None:
        return (
            "it names no version, so it is one of your own, or version 1 of the shipped one; "
            f"this program has version {WORKFLOW_VERSION}. {_HOW_TO_UPDATE}"
        )
    if version < WORKFLOW_VERSION:
        return f"version {version}; this program has version {WORKFLOW_VERSION}. {_HOW_TO_UPDATE}"
    if version > WORKFLOW_VERSION:
        return f"version {version}; this program has version {WORKFLOW_VERSION}: update it"
    return f"version {version}, the current one"


def describe_saving(saved: SavedExecutions) -> str:
    """Return whether n8n saves the executions of a workflow, and what to do about it."""
    if saved.listed:
        number = max(saved.listed)
        return (
            f"YES: n8n has saved this test as execution {number}, and saves each request with "
            f"diff and token in clear: {HOW_TO_DROP}. Then delete the saved ones in the tab "
            "Executions."
        )
    if saved.kinds:
        return (
            f"no, but the workflow's settings do not drop {', '.join(saved.kinds)} "
            f"executions, and each has diff and token in clear: {HOW_TO_DROP}"
        )
    return "no: n8n drops the executions of this workflow"


def describe_strangers(strangers: tuple[Stranger, ...]) -> str:
    """Return how somebody without the token is received."""
    entered = [each for each in strangers if each.reception is Reception.LET_IN]
    refused = [each.sent for each in strangers if each.reception is Reception.REFUSED]
    unclear = [each for each in strangers if each.reception is Reception.UNCLEAR]
    parts = []
    if entered:
        who = ", ".join(f"{each.sent} ({each.status})" for each in entered)
        parts.append(f"LET IN: {who}: whoever sends that is answered, and you pay")
    if refused:
        parts.append(f"refused: {', '.join(refused)}")
    parts += [
        f"unclear: {each.sent}: {each.cause or f'the answer has status {each.status}'}"
        for each in unclear
    ]
    return "; ".join(parts)


def build_open_error(entered: tuple[Stranger, ...]) -> UsageError:
    """Return the error for a webhook that answers strangers."""
    sent = ", ".join(each.sent for each in entered)
    if any(each.sent == "no token" for each in entered):
        hint = (
            "in n8n, set Authentication of the node Webhook to `Header Auth` and choose the "
            "credential with your token, then publish; N8N_WEBHOOK_TOKEN has the token here"
        )
    else:
        hint = (
            "where the variable of the credential is not set in n8n, anybody knows the password: "
            "import what `orchestrator teacher workflow --credentials` prints, set "
            "N8N_WEBHOOK_TOKEN to a new random token for n8n and here, and restart n8n"
        )
    return UsageError(f"the webhook answers strangers, who send {sent}", hint)
