"""Interprets the words of a task, as far as they concern tests that failed before.

These are guesses at English. They only decide about old failures, and words alone never excuse one:
the change itself has to do nothing, too.
"""

import re
from typing import Final

_ALL_TESTS: Final = re.compile(
    r"""
    \b(?:fix|repair|mend)\s+(?:(?:all|the|these|every|failing|broken|red|unit)\s+)*
     (?:tests?|test\ suite|suite)\b(?=\s*(?:[.,;:!]|$|(?:so|and|please|now)\b))
    |\b(?:get|make|turn)\s+(?:\w+\s+){0,3}(?:tests?|suite|build|ci)\s+(?:to\s+)?
     (?:pass|green|succeed)\b
    |\b(?:all|every|the|failing|broken|red|remaining)\s+(?:\w+\s+){0,3}
     (?:tests?|suite|cases|checks)\s+(?:\w+\s+){0,2}(?:pass|passes|green|succeed)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_REGRESSION: Final = re.compile(r"\b(?:still|existing|keep|continue)\b", re.IGNORECASE)
"""Words that ask to break nothing, and not to repair everything."""

_REPAIR: Final = re.compile(
    r"""
    \b(?:fix|repair|mend|correct|debug|solve)(?:e?s|ed|ing|ly)?\b
    |\b(?:bugs?|wrong|incorrect\w*|broken|red|regress\w*|errors?|fail(?:s|ed|ing|ures?)?)\b
    |\b(?:crash(?:es|ed|ing)?|pass|passes|green|should|must|instead|no\ longer)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Words that say what is wrong, or how it should be."""

_CODE: Final = (
    r"(?:(?:the|this|all)\s+)?(?:(?:functions?|methods?|class(?:es)?|modules?)\s+)?(?:in\s+)?"
    r"[`'\"]?(?:[\w.]+\(\)|[\w./-]+\.py)[`'\"]?"
)
_OBJECT: Final = (
    rf"(?:{_CODE}(?:(?:,|\s+and)\s+{_CODE}){{0,4}}|(?:the|this)\s+(?:module|class|function)s?)"
)
_NOTES: Final = r"(?:doc\ ?strings?|type\ hints?|type\ annotations?)"
_FORM: Final = re.compile(
    rf"""
    [\W_]*(?:please\s+|(?:can|could|would)\s+you\s+(?:please\s+)?)?
    (?:
      (?:document|annotate|type)\s+{_OBJECT}
      |(?:add|write)\s+(?:an?\s+)?{_NOTES}(?:\s+and\s+{_NOTES})?(?:\s+(?:to|for|in)\s+{_OBJECT})?
      |(?:add|write)\s+(?:an?\s+)?(?:comments?|annotations?|types?)\s+(?:to|for|in)\s+{_OBJECT}
      |give\s+{_OBJECT}\s+(?:an?\s+)?{_NOTES}
    )
    \s*[.!?]*(?:\s+(?:the\s+)?behaviou?r\s+(?:stays|remains)[^.]*\.?)?\s*
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Whole tasks that only ask for how code reads, and not for what it does."""

_ADD: Final = r"(?:add|write|create|put|introduce)\s+"
_RELATING: Final = (
    r"(?:according|and|as|ask|conform\w*|described|due|for|from|in|like|needs?|passing|satisfying|see"
    r"|similar|so|that|to|until|use|whatever|which|with)\b"
)
_ADDITION_TARGETS: Final = tuple(
    re.compile(text, re.IGNORECASE)
    for text in (
        rf".*\b{_ADD}(?:(?!{_RELATING})\S+\s+){{0,4}}?(?:tests?|cases?)\b(?:(?!\b(?:are|ask|is|need|use|want)s?\b).)*"
        r"\b(?:to|in|into)\s+[`'\"]?$",
        rf"\W*(?:please\s+)?{_ADD}(?:(?!{_RELATING})\S+\s+){{1,4}}(?:to|into)\s+[`'\"]?$",
        r"(?:.*\band\s+|\W*)(?:test|cover|check)\s+(?:it|them|both)\s+in\s+[`'\"]?$",
    )
)
"""Beginnings of sentences before the name of a file to which something new is added."""
_GOES_ON: Final = re.compile(r"[`'\"]?\s+(?:to|are|is|should|pass)\b")
"""Text after the name of a file that is not the target of an addition."""

_EXCLUDED: Final = re.compile(r"\b(?:leave|ignore|skip|not|don't|later|except|without)\b", re.I)
"""Words of a sentence that says what not to do."""

_WRITING: Final = re.compile(
    r"write|add|create|implement|build|develop|introduce|provide|generate"
    r"|(?:writ|add|creat|implement|build|develop|introduc|provid|generat)ing",
    re.IGNORECASE,
)
_NO_VERB_AFTER: Final = frozenset({"not", "dont", "never", "the", "a", "this", "our"})
"""Words after which a verb of writing is denied, or is no verb: `fix the build`."""
_TO_ANOTHER: Final = frozenset(
    {
        *("about", "against", "around", "at", "based", "by", "for", "from", "in", "into", "like"),
        *("of", "on", "over", "that", "to", "using", "via", "when", "where", "which", "with"),
    }
)
"""Words after which a sentence names something else than what is to be written."""
_AFTER_MODULE: Final = frozenset(
    {
        *("module", "modules", "package", "packages", "library", "file", "files", "script"),
        *("and", "or", "as", "so", "such", "but", "again", "first", "now", "please", "yourself"),
        *_TO_ANOTHER,
    }
)
"""Words that can follow the name of a module; after another one it only describes: `yaml parser`"""


def asks_for_all_tests(task: str) -> bool:
    """Return whether a task is about the tests as a whole: `make all tests pass`."""
    found = _ALL_TESTS.search(task)
    return found is not None and not _NO_REGRESSION.search(found[0])


def asks_for_form(task: str) -> bool:
    """Return whether a task only asks for how code reads: `add a docstring to f()`."""
    return not _REPAIR.search(task) and _FORM.fullmatch(task) is not None


def asks_to_write(task: str, module: str) -> bool:
    """Return whether a task asks to write a module: `write tax.py`, `implement the module tax`.

    To name it is not enough: `fix the yaml parser` needs a module yaml that is there.

    Args:
        task: the task's text.
        module: the full name of the module.
    """
    path = re.escape(module.replace(".", "/"))
    if re.search(rf"(?<![\w.]){path}(?:\.pyi?\b|/__init__\.py)", task):
        return True
    names = {module, module.replace(".", "/")}
    sentences = re.split(r"[.!?;](?:\s|$)|\n\s*\n", re.sub(r"[`'\"*]", "", task))
    return any(_is_written(re.findall(r"[\w./]+|[^\w\s]", each), names) for each in sentences)


def _is_written(words: list[str], names: set[str]) -> bool:
    """Return whether a sentence has one of these names as the object of a verb of writing."""
    is_object = False
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if _WRITING.fullmatch(word):
            is_object = before.lower() not in _NO_VERB_AFTER
        elif word.lower() in _TO_ANOTHER:
            is_object = False
        elif is_object and word in names:
            return not after[:1].isalnum() or after.lower() in _AFTER_MODULE
    return False


def list_wanted_words(task: str) -> list[str]:
    """Return the words of a task in lower case, without sentences that say what not to do."""
    wanted = (each for each in re.split(r"[.!?;]\s", task) if not _EXCLUDED.search(each))
    return re.findall(r"[a-z]+", " ".join(wanted).lower())


def mentions_file(task: str, name: str) -> bool:
    """Return whether a task names a file, other than as the target of an addition."""
    if _REPAIR.search(task):
        return bool(_find_word(name, task))
    return any(not _is_addition_target(task, at, at + len(name)) for at in _find_word(name, task))


def _is_addition_target(task: str, start: int, end: int) -> bool:
    """Return whether a task asks to add something new to the file named at a position."""
    up_to = re.split(r"[.!?;]\s|\n", task[:start])[-1]
    return any(each.match(up_to) for each in _ADDITION_TARGETS) and not _GOES_ON.match(task[end:])


def mentions_identifier(task: str, name: str) -> bool:
    """Return whether a task names an identifier, and not an English word of the same spelling."""
    if re.search(r"[_\d]|[a-z][A-Z]", name):
        return bool(_find_word(name, task))
    quoted = rf"[`'\"]{re.escape(name)}[`'\"(.]|(?<!\w){re.escape(name)}\(|\.{re.escape(name)}\b"
    return re.search(quoted, task) is not None


def _find_word(word: str, text: str) -> list[int]:
    """Return the positions of a word in a text, where it is no part of another word or path."""
    return [each.start() for each in re.finditer(rf"(?<![\w/]){re.escape(word)}(?!\w)", text)]
