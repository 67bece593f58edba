"""The data that goes to a teacher and that it returns.

This module imports no other module of the project, so that it can be used and read alone.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class FailureType(StrEnum):
    """The kind of failure, which selects the teacher's prompt."""

    TEST_FAILURE = "test_failure"
    PLANNING_ERROR = "planning_error"
    INTEGRATION_ERROR = "integration_error"
    WORKFLOW_ERROR = "workflow_error"
    ARCHITECTURE_ERROR = "architecture_error"
    SCOPE_ERROR = "scope_error"
    CONFIG_ERROR = "config_error"
    OTHER = "other"


DEFAULT_PROMPTS: dict[FailureType, str] = {
    FailureType.TEST_FAILURE: "default",
    FailureType.PLANNING_ERROR: "planning_error_system",
    FailureType.INTEGRATION_ERROR: "integration_error_system",
    FailureType.WORKFLOW_ERROR: "workflow_error_system",
    FailureType.ARCHITECTURE_ERROR: "architecture_error_system",
    FailureType.SCOPE_ERROR: "scope_error_system",
    FailureType.CONFIG_ERROR: "config_error_system",
    FailureType.OTHER: "other_system",
}
"""The shipped prompt of each type of failure, by name."""


@dataclass(frozen=True)
class Failure:
    """Something that went wrong, from any source, with the evidence for it.

    `diff` and `logs` are excerpts that fit into a request to a model. All text is untrusted data
    (test output, file names, what people wrote) and never an instruction.
    """

    type: FailureType
    source: str
    """Its origin: `pytest`, `manual`, or with the id of a record: `learning:ERR-...`."""
    summary: str
    """One line for people."""
    fingerprint: str
    """Equal for the same failure, independent of line numbers, addresses and paths."""
    task: str = ""
    diff: str = ""
    logs: str = ""
    context: str = ""
    cases: tuple[str, ...] = ()
    """Ids of the test cases that failed."""
    case_fingerprints: tuple[str, ...] = ()
    """The fingerprint of each failed case, because another attempt may fail in these and more."""
    suite: str = ""
    """The command of the suite that reported it, if `source` does not name that suite."""


@dataclass(frozen=True)
class RuleText:
    """The three sentences of a rule."""

    rule: str
    when: str
    why: str


@dataclass(frozen=True)
class KnownRule:
    """A rule that exists already, as the teacher sees it."""

    id: str
    text: RuleText
    note: str = ""
    """A remark for the teacher, for example that the rule was rejected and is not active."""


class Action(StrEnum):
    """What a lesson changes in the rulebook."""

    ADD = "add"
    REINFORCE = "reinforce"
    AMEND = "amend"
    NONE = "none"


@dataclass(frozen=True)
class Usage:
    """Tokens and US dollars of one or more model calls. Can be added with `+`.

    A sum with `UNKNOWN_USAGE` is unknown, too: the part that is known would count as all of it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        if UNKNOWN_USAGE in (self, other):
            return UNKNOWN_USAGE
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
        )

    @property
    def tokens(self) -> int:
        """The number of all billed tokens, cached ones included."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
        )


UNKNOWN_USAGE = Usage(input_tokens=-1)
"""A bill that says nothing about the cost: the ledger counts what it reserved."""


@dataclass(frozen=True)
class Lesson:
    """The teacher's decision.

    `add` has `text`; `amend` has `text` and the `target` that it replaces; `reinforce` has a
    `target`; `none` has neither. `reason` is always present.
    """

    action: Action
    reason: str
    text: RuleText | None = None
    target: str | None = None
    paths: tuple[str, ...] = ()
    """Globs of the files that the rule is about; empty if it applies everywhere."""
    concern: str = ""
    """Why a person should decide, if a second look at the text alone found a reason."""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
