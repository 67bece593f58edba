"""What the words of a task ask for, as far as they bear on tests that were red before.

These are guesses at English, so they never make a failure the attempt's own that its change did not
cause: they only say which of the failures that were there before it was asked to repair.
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
_KEPT_TESTS: Final = re.compile(r"\b(?:still|existing|keep|continue)\b", re.IGNORECASE)
"""Words of who asks that nothing is broken, and not that all is repaired."""

_REPAIR: Final = re.compile(
    r"""
    \b(?:fix|repair|mend|correct|debug|solve)(?:e?s|ed|ing|ly)?\b
    |\b(?:bugs?|wrong|incorrect\w*|broken|red|regress\w*|errors?|fail(?:s|ed|ing|ures?)?)\b
    |\b(?:crash(?:es|ed|ing)?|pass|passes|green|should|must|instead|no\ longer)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Words of who tells what is wrong, or how it ought to be."""

_OTHER_AIM: Final = re.compile(
    r"""
    \W*(?:please\s+|(?:can|could|would)\s+you\s+(?:please\s+)?|let's\s+|we\s+want\s+to\s+)?
    (?:
      # something new, or nothing but new words
      add|write|create|introduce|document|comment|annotate|type|log|name|test|cover
      # the same behaviour in other words
      |rename|refactor|restructure|reorgani[sz]e|rearrange|reformat|format|tidy|clean|simplify
      |inline|extract|split|move|rewrite|modernise|modernize|speed|optimi[sz]e|deprecate
      |delete|remove
      |(?:turn|convert|change|make)\b[^.;]*\b(?:data\ ?class|constant|enum|named\ ?tuple|property
       |generator|(?:class|static)\ ?method|keyword(?:-only)?)
    )\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""How tasks begin that ask for something beside what is red."""

_SAME_BEHAVIOUR: Final = re.compile(
    r"\bbehaviou?r\s+(?:stays|remains|is\s+(?:kept|unchanged))\b"
    r"|\b(?:no|without)\s+(?:\w+\s+){0,3}(?:change|changing)\b[^.;]*\bbehaviou?r\b"
    r"|\b(?:keep|preserve)\w*\s+(?:\w+\s+){0,3}behaviou?r\b",
    re.IGNORECASE,
)

_EXCLUDED: Final = re.compile(r"\b(?:leave|ignore|skip|not|don't|later|except|without)\b", re.I)
"""Words of a sentence that says what is not to be done."""


def asks_for_all_tests(task: str) -> bool:
    """Return whether a task is about the tests as a whole: `make all tests pass`."""
    found = _ALL_TESTS.search(task)
    return found is not None and not _KEPT_TESTS.search(found[0])


def aims_beside_failures(task: str) -> bool:
    """Return whether a task asks for what repairs nothing: `add a docstring`, `rename f to g`.

    Then a test of the changed code that was red for a reason of its own stays red.
    """
    if _SAME_BEHAVIOUR.search(task):
        return True
    return _OTHER_AIM.match(task) is not None and not _REPAIR.search(task)


def wanted_words(task: str) -> list[str]:
    """Return the words of a task in lower case, without sentences that say what not to do."""
    wanted = (each for each in re.split(r"[.!?;]\s", task) if not _EXCLUDED.search(each))
    return re.findall(r"[a-z]+", " ".join(wanted).lower())


def names_file(task: str, name: str) -> bool:
    """Return whether a task names a file, by its path or its last part."""
    return re.search(rf"(?<![\w/]){re.escape(name)}(?!\w)", task) is not None


def names_code(task: str, name: str) -> bool:
    """Return whether a task names an identifier, and not just an English word that is spelt so."""
    if re.search(r"[_\d]|[a-z][A-Z]", name):
        return names_file(task, name)
    quoted = rf"[`'\"]{re.escape(name)}[`'\"(.]|(?<!\w){re.escape(name)}\(|\.{re.escape(name)}\b"
    return re.search(quoted, task) is not None
