"""One table of what a model may say, for both readers: `teacher.answer` and `lesson.js`.

The known rules are those of `samples`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teacher.answer import ANSWER_KEYS, MAX_DEPTH, MAX_SENTENCE
from teacher.models import Action, Lesson, RuleText
from tests.teacher.samples import ADD, AMEND, NONE, REINFORCE, RULE, TEXT, make_answer

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class AnswerCase:
    """A text that a model says, and the lesson or the problem that it is."""

    name: str
    text: str
    lesson: Lesson | None = None
    problem: str = ""
    """The words with which both readers refuse it; empty for a lesson."""


REASON = "The stand-in hid the absence."
ADDED = Lesson(Action.ADD, REASON, RULE)
BARE = Lesson(Action.ADD, "no reason given", RULE)
LONG = "\N{GRINNING FACE}" * MAX_SENTENCE
SURROGATE_ESCAPE = "\\ud83d"


def dump_add(**keys: object) -> str:
    """Return an `add` with these keys instead of others."""
    return make_answer(**{"action": "add", **TEXT, **keys})


def nest_lists(depth: int) -> str:
    """Return a lesson with an unknown key, whose value makes it `depth` levels deep."""
    lists = "[" * (depth - 1) + "]" * (depth - 1)
    return f'{{"x": {lists}, {json.dumps(TEXT)[1:]}'


def _add_raw(raw: str) -> str:
    """Return a lesson that has these raw characters of JSON before its keys."""
    return f"{{{raw}, {json.dumps(TEXT)[1:]}"


TAKEN = (
    AnswerCase("add", ADD, ADDED),
    AnswerCase("reinforce", REINFORCE, Lesson(Action.REINFORCE, REASON, target="r-0002")),
    AnswerCase(
        "amend",
        AMEND,
        Lesson(Action.AMEND, REASON, RULE, target="r-0001", paths=("billing/**",)),
    ),
    AnswerCase("none", NONE, Lesson(Action.NONE, "The test depends on the clock.")),
    AnswerCase("a rule alone", json.dumps(TEXT), BARE),
    AnswerCase("nulls", json.dumps({**TEXT, "reason": None, "target": None, "paths": None}), BARE),
    AnswerCase("unknown keys", dump_add(confidence=0.9, model=["x"], usage="y"), ADDED),
    AnswerCase("unused keys", make_answer(action="none", **TEXT), Lesson(Action.NONE, REASON)),
    AnswerCase("unused target", dump_add(target="r-9999"), ADDED),
    AnswerCase("action in capitals", dump_add(action=" Add\n"), ADDED),
    AnswerCase("action within odd spaces", dump_add(action="\x1c\x85\u2028add\u3000"), ADDED),
    AnswerCase(
        "several lines",
        dump_add(**{key: f" \n{text.replace(' ', chr(10))}\t" for key, text in TEXT.items()}),
        ADDED,
    ),
    AnswerCase(
        "target within spaces",
        make_answer(action="reinforce", target="\tr-0002\n"),
        Lesson(Action.REINFORCE, REASON, target="r-0002"),
    ),
    AnswerCase(
        "odd spaces",
        dump_add(rule="a\x1cb\x85c\u2003d\x1f"),
        Lesson(Action.ADD, REASON, RuleText("a b c d", TEXT["when"], TEXT["why"])),
    ),
    AnswerCase(
        "characters that only JavaScript calls spaces, and that nobody does",
        dump_add(rule="\ufeffa\u180eb\u200bc\ufeff"),
        Lesson(
            Action.ADD, REASON, RuleText("\ufeffa\u180eb\u200bc\ufeff", TEXT["when"], TEXT["why"])
        ),
    ),
    AnswerCase(
        "paths",
        dump_add(paths=[" a/** ", "", "\x1c", "b"]),
        Lesson(Action.ADD, REASON, RULE, paths=("a/**", "b")),
    ),
    AnswerCase(
        "longest text",
        dump_add(why=f"  {LONG}  "),
        Lesson(Action.ADD, REASON, RuleText(RULE.rule, RULE.when, LONG)),
    ),
    AnswerCase("long reason", dump_add(reason="x" * 5000), Lesson(Action.ADD, "x" * 5000, RULE)),
    AnswerCase("blank reason", dump_add(reason=" \n"), BARE),
    AnswerCase("fence", f"```json\n{ADD}\n```", ADDED),
    AnswerCase("fence in capitals", f"```JSON\n{ADD}\n```", ADDED),
    AnswerCase("fence of Windows", f"\r\n```json\r\n{ADD}\r\n```\r\n", ADDED),
    AnswerCase("fence without a language", f"  \n```\n{ADD}\n```\n", ADDED),
    AnswerCase("fence on one line", f"``` {ADD}```", ADDED),
    AnswerCase("fence without any space", f"```json{ADD}```", ADDED),
    AnswerCase("spaces around", f"\x85\u2028 {ADD}\x1c\n", ADDED),
    AnswerCase("byte order mark", f"\ufeff{ADD}", ADDED),
    AnswerCase("byte order mark before a fence", f"\ufeff```json\n{ADD}\n```", ADDED),
    AnswerCase("the last of equal keys", _add_raw('"rule": 7, "when": ["x"]'), BARE),
    AnswerCase("number of many digits", _add_raw(f'"x": {"9" * 5000}'), BARE),
    AnswerCase("number beyond the largest", _add_raw('"x": [1e999, -1E+999, 1e-999]'), BARE),
    AnswerCase("key of every object", _add_raw('"__proto__": {"rule": 1}, "toJSON": 1'), BARE),
    AnswerCase("nested as deeply as may be", nest_lists(MAX_DEPTH), BARE),
    AnswerCase(
        "brackets in text",
        dump_add(reason='\\" [[{{' * 50),
        Lesson(Action.ADD, '\\" [[{{' * 49 + '\\" [[{{', RULE),
    ),
    AnswerCase(
        "escapes",
        dump_add(reason='\N{GRINNING FACE} \x00 \\ud83d " / \x7f'),
        Lesson(Action.ADD, '\N{GRINNING FACE} \x00 \\ud83d " / \x7f', RULE),
    ),
)
"""Answers that are a lesson."""

_NOT_JSON = "it is not JSON"
_NO_OBJECT = "it is not a JSON object"
_TOO_LONG = f"is longer than {MAX_SENTENCE} characters"
_ACTIONS = "`action` is none of add, reinforce, amend, none"
_WRONG_TYPES: Mapping[str, object] = {
    "a number": 7,
    "true": True,
    "a list": ["x"],
    "an object": {"x": "y"},
}
_NO_LISTS: tuple[object, ...] = ("a/**", "", 7, False, {"a": "b"})
_NO_TEXTS: tuple[object, ...] = (1, None, ["a"], {}, False)

REFUSED = (
    AnswerCase("nothing", "", problem=_NOT_JSON),
    AnswerCase("spaces", " \n\x85", problem=_NOT_JSON),
    AnswerCase("prose", "I would add a rule about None.", problem=_NOT_JSON),
    AnswerCase("prose before", f"Here you are: {ADD}", problem=_NOT_JSON),
    AnswerCase("prose behind", f"{ADD} I hope that helps.", problem=_NOT_JSON),
    AnswerCase("prose before a fence", f"Here:\n```json\n{ADD}\n```", problem=_NOT_JSON),
    AnswerCase("fence that is open", f"```json\n{ADD}", problem=_NOT_JSON),
    AnswerCase("fence of another language", f"```yaml\n{ADD}\n```", problem=_NOT_JSON),
    AnswerCase("empty fence on one line", "``````", problem=_NOT_JSON),
    AnswerCase("empty fence", "```json\n```", problem=_NOT_JSON),
    AnswerCase("too short for a fence", "``` ``", problem=_NOT_JSON),
    AnswerCase("two objects", f"{ADD}\n{ADD}", problem=_NOT_JSON),
    AnswerCase("cut off", ADD[:-9], problem=_NOT_JSON),
    AnswerCase("single quotes", str(TEXT), problem=_NOT_JSON),
    AnswerCase("last comma", f"{ADD[:-1]},}}", problem=_NOT_JSON),
    AnswerCase("comment", f"{ADD} // done", problem=_NOT_JSON),
    AnswerCase("line break in text", json.dumps(TEXT).replace(" ", "\n"), problem=_NOT_JSON),
    AnswerCase("NaN", _add_raw('"x": NaN'), problem=_NOT_JSON),
    AnswerCase("Infinity", _add_raw('"x": Infinity'), problem=_NOT_JSON),
    AnswerCase("minus Infinity", _add_raw('"x": [-Infinity]'), problem=_NOT_JSON),
    AnswerCase("leading zero", _add_raw('"x": 007'), problem=_NOT_JSON),
    AnswerCase("digits of another script", _add_raw('"x": 1\u0661'), problem=_NOT_JSON),
    AnswerCase("another byte order mark", f"\ufeff\ufeff{ADD}", problem=_NOT_JSON),
    AnswerCase("lone surrogate", dump_add().replace("Never", SURROGATE_ESCAPE), problem=_NOT_JSON),
    AnswerCase("lone surrogate in an unknown key", _add_raw('"\\udc00": 1'), problem=_NOT_JSON),
    AnswerCase("lone surrogate in a list", _add_raw('"x": [{"y": "\\udfff!"}]'), problem=_NOT_JSON),
    AnswerCase(
        "lone surrogate, not escaped",
        dump_add(reason="x").replace("x", "\ud800", 1),
        problem=_NOT_JSON,
    ),
    AnswerCase("halves of a pair", f'{{"x": "{SURROGATE_ESCAPE}\udc00"}}', problem=_NOT_JSON),
    AnswerCase("nested too deeply", nest_lists(MAX_DEPTH + 1), problem="it is nested too deeply"),
    AnswerCase("nested without an end", "[" * 200_000, problem="it is nested too deeply"),
    AnswerCase("text", '"add"', problem=_NO_OBJECT),
    AnswerCase("null", "null", problem=_NO_OBJECT),
    AnswerCase("number", "1", problem=_NO_OBJECT),
    AnswerCase("empty list", "[]", problem=_NO_OBJECT),
    AnswerCase("list of one", f"[{ADD}]", problem=_NO_OBJECT),
    AnswerCase("empty object", "{}", problem="`add` needs `rule`, `when`, `why`"),
    AnswerCase(
        "a rule without the rest", '{"rule": "Never a; b."}', problem="`add` needs `when`, `why`"
    ),
    AnswerCase(
        "amend without text",
        make_answer(action="amend", target="r-0001"),
        problem="`amend` needs `rule`, `when`, `why`",
    ),
    AnswerCase("unknown action", make_answer(action="forget", target="r-0001"), problem=_ACTIONS),
    AnswerCase("empty action", dump_add(action=""), problem=_ACTIONS),
    AnswerCase("action null", dump_add(action=None), problem=_ACTIONS),
    AnswerCase("action in a list", dump_add(action=["add"]), problem=_ACTIONS),
    AnswerCase("action as an object", dump_add(action={"add": 1}), problem=_ACTIONS),
    AnswerCase("action true", dump_add(action=True), problem=_ACTIONS),
    AnswerCase(
        "unknown target",
        make_answer(action="reinforce", target="r-9999"),
        problem="`reinforce` needs an active rule as `target`, not 'r-9999'"
        " (r-0001, r-0002, r-0003)",
    ),
    AnswerCase(
        "no target",
        make_answer(action="reinforce"),
        problem="`reinforce` needs an active rule as `target`, not '' (r-0001, r-0002, r-0003)",
    ),
    AnswerCase(
        "target in capitals",
        make_answer(action="reinforce", target="R-0001"),
        problem="`reinforce` needs an active rule as `target`, not 'R-0001'"
        " (r-0001, r-0002, r-0003)",
    ),
    AnswerCase(
        "amend of nothing",
        make_answer(action="amend", **TEXT),
        problem="`amend` needs an active rule as `target`, not '' (r-0001, r-0002, r-0003)",
    ),
    *(
        AnswerCase(f"{key} blank", dump_add(**{key: blank}), problem=f"`add` needs `{key}`")
        for key in TEXT
        for blank in ("", " \n\x1c\x85\u2003", None)
    ),
    *(
        AnswerCase(f"{key} too long", dump_add(**{key: f"{LONG}x"}), problem=f"`{key}` {_TOO_LONG}")
        for key in TEXT
    ),
    AnswerCase(
        "unused text too long",
        make_answer(action="none", rule=f"{LONG}x"),
        problem=f"`rule` {_TOO_LONG}",
    ),
    *(
        AnswerCase(
            f"{key} is {name}, with {action}",
            make_answer(**{"action": action, "target": "r-0001", **TEXT, key: value}),
            problem=f"`{key}` is not text",
        )
        for key in ANSWER_KEYS
        if key not in ("action", "paths")
        for name, value in _WRONG_TYPES.items()
        for action in ("add", "none")
    ),
    *(
        AnswerCase(
            f"paths are {value!r}",
            make_answer(action="none", paths=value),
            problem="`paths` is not a list",
        )
        for value in _NO_LISTS
    ),
    *(
        AnswerCase(
            f"a path is {value!r}",
            dump_add(paths=["", "a", value]),
            problem="`paths.1` is not text",
        )
        for value in _NO_TEXTS
    ),
    AnswerCase(
        "the first of two problems",
        make_answer(action="add", rule=1, paths=2),
        problem="`rule` is not text",
    ),
    AnswerCase(
        "a type before a contradiction",
        make_answer(action="add", paths="x"),
        problem="`paths` is not a list",
    ),
)
"""Answers that are none."""

ANSWERS = (*TAKEN, *REFUSED)
