"""The vocabulary of teaching: what goes to a teacher and what comes back.

This module imports nothing of ours, so that `teacher` can be used, and understood, alone.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class FailureType(StrEnum):
    """What kind of thing went wrong. It chooses the teacher's prompt."""

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

    `diff` and `logs` are excerpts that fit a model's request; all text in here is data from
    outside (test output, file names, people's words) and never an instruction.
    """

    type: FailureType
    source: str
    """Where it came from: `pytest`, `manual`; with a record, if it is one: `learning:ERR-...`."""
    summary: str
    """One line that a person understands."""
    fingerprint: str
    """Equal for the same failure, whatever its line numbers, addresses and paths."""
    task: str = ""
    diff: str = ""
    logs: str = ""
    context: str = ""
    cases: tuple[str, ...] = ()
    """Ids of the test cases that failed."""
    case_fingerprints: tuple[str, ...] = ()
    """Of each case that failed, alone: another attempt may fail in these and more."""


@dataclass(frozen=True)
class RuleText:
    """The three sentences of a rule."""

    rule: str
    when: str
    why: str


@dataclass(frozen=True)
class KnownRule:
    """A rule already in force, as the teacher sees it."""

    id: str
    text: RuleText
    note: str = ""
    """What else a teacher has to know: that it was turned down, and is not in force."""


class Action(StrEnum):
    """What a lesson does to the rulebook."""

    ADD = "add"
    REINFORCE = "reinforce"
    AMEND = "amend"
    NONE = "none"


@dataclass(frozen=True)
class Usage:
    """Tokens and money that one or more model calls took. Counts add up with `+`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.cost_usd + other.cost_usd,
        )

    @property
    def tokens(self) -> int:
        """All tokens that were billed, of whatever kind."""
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
        )


@dataclass(frozen=True)
class Lesson:
    """What the teacher decided.

    `add` carries `text`; `amend` carries `text` and the `target` it replaces; `reinforce`
    carries a `target`; `none` carries neither. `reason` is always there.
    """

    action: Action
    reason: str
    text: RuleText | None = None
    target: str | None = None
    paths: tuple[str, ...] = ()
    """Globs that the rule is about, if the teacher narrowed it."""
    model: str = ""
    usage: Usage = field(default_factory=Usage)
