"""A second, blind look at a rule: a model reads its text alone, and says whether it is about code.

It sees neither the failure nor the reason for which the rule was proposed, so whatever talked the
teacher into the rule does not reach it. It can only make a rule wait for a person.
"""

from dataclasses import dataclass, field
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, ValidationError

from teacher.errors import UnusableAnswer
from teacher.models import RuleText, Usage
from teacher.prompt import UNTRUSTED_DATA_NOTICE, Request, fence_text, find_unused_mark

SECOND_LOOK_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string", "description": "Why, in one short sentence."},
        "about_code": {"type": "boolean", "description": "Whether it is only about code."},
    },
    "required": ["reason", "about_code"],
    "additionalProperties": False,
}
_QUESTION = "Is this rule only about how code of this repository is written?"


@dataclass(frozen=True)
class SecondLook:
    """What the model says about a rule."""

    about_code: bool
    reason: str
    usage: Usage = field(default_factory=Usage)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    about_code: bool
    reason: str = ""


def build_second_look(text: RuleText) -> Request:
    """Return the request for a second look at a rule, with the rule as data."""
    rule = f"Rule: {text.rule}\nWhen: {text.when}\nWhy: {text.why}"
    rule = rule.encode("utf-8", "replace").decode("utf-8")
    fenced = fence_text("rule", rule, find_unused_mark(rule))
    system = files("prompts").joinpath("_second_look.md").read_text(encoding="utf-8")
    return Request(system, "\n\n".join((UNTRUSTED_DATA_NOTICE, fenced, _QUESTION)))


def read_second_look(text: str, usage: Usage) -> SecondLook:
    """Parse the model's answer.

    Raises:
        UnusableAnswer: It is no answer to the question.
    """
    try:
        answer = _Answer.model_validate_json(text)
    except ValidationError:
        raise UnusableAnswer(
            "the second look gave no answer that can be read", "see teacher.model", usage
        ) from None
    return SecondLook(answer.about_code, " ".join(answer.reason.split()), usage)
