"""The pages of the documentation, which come with the program."""

import difflib
import re
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform.shipped_files import find_shipped_file

_FILES: Final = {
    "readme": "README.md",
    **{
        name: f"docs/{name}.md"
        for name in (
            *("first-hour", "commands", "configuration", "doctor", "undo"),
            *("tasks", "fleet", "rules", "sessions", "learnings", "verdict", "unattended"),
            *("reliability", "replay", "architecture", "where-to-change", "fleet-limits"),
        )
    },
    "n8n": "N8N_SETUP.md",
}
"""The file of each page, in the order in which a new user needs them."""
_GENERATOR: Final = re.compile(r"<!-- \[\[\[(?:cog\n.*?\]\]\]|end\]\]\]) -->\n?", re.DOTALL)
"""What generates a part of a page: it is not for readers."""


@dataclass(frozen=True)
class Document:
    """A page of the documentation."""

    name: str
    title: str
    """Its first heading."""
    text: str
    """Markdown."""


def list_documents() -> tuple[Document, ...]:
    """Return every page."""
    return tuple(_read_document(name) for name in _FILES)


def find_document(name: str) -> Document:
    """Return the page with this name, in any case, with or without `.md`.

    Raises:
        UsageError: there is no such page.
    """
    wanted = name.lower().removeprefix("docs/").removesuffix(".md")
    if wanted in _FILES:
        return _read_document(wanted)
    closest = difflib.get_close_matches(wanted, _FILES, n=1)
    raise UsageError(
        f"there is no page `{name}`{f'; did you mean `{closest[0]}`?' if closest else ''}",
        "list the pages: orchestrator docs",
    )


def _read_document(name: str) -> Document:
    text = find_shipped_file(_FILES[name]).read_text(encoding="utf-8")
    text = _GENERATOR.sub("", text)
    title = next(line[2:] for line in text.splitlines() if line.startswith("# "))
    return Document(name, title, text)
