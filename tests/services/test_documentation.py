"""The documentation that comes with the program."""

from pathlib import Path

import pytest

from orchestrator.services.documentation import find_document, list_documents
from tests.cli.conftest import CHECKOUT


def test_every_page_of_the_documentation_is_listed_with_its_title() -> None:
    pages = {page.name: page for page in list_documents()}
    written = {path.stem for path in (CHECKOUT / "docs").glob("*.md")}
    assert len(written) >= 10
    assert pages.keys() == written | {"readme", "n8n"}
    assert pages["rules"].title == "Rules"
    assert all(page.title and page.text for page in pages.values())


@pytest.mark.parametrize("name", ["rules", "RULES", "rules.md", "docs/rules.md"])
def test_a_page_is_found_by_the_names_that_people_use(name: str) -> None:
    page = find_document(name)
    assert page.text == Path(CHECKOUT / "docs" / "rules.md").read_text("utf-8")


def test_what_generates_a_page_is_not_shown() -> None:
    page = find_document("commands")
    assert "[[[" not in page.text
    assert "cog.out" not in page.text
    assert "orchestrator run" in page.text
