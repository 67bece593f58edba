"""A known secret is found in each form, divided or not; what is common is not replaced alone."""

import base64
import html
import json
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from orchestrator.masking import Masker
from orchestrator.masking.secret_forms import is_distinctive
from tests.masking.samples import Sample, load_rows

VALUES = ["q7Wv-03xLz9", "p@$s:w/0rd#x&", "Grüße-9_ß/x", "correct horse battery 9", "8364651029"]
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "login": lambda value: base64.b64encode(f"me:{value}".encode()).decode(),
    "urlsafe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hex": lambda value: value.encode().hex(),
    "url": lambda value: quote(value, safe=""),
    "path": quote,
    "form": quote_plus,
    "url twice": lambda value: quote(quote(value, safe=""), safe=""),
    "json": json.dumps,
    "json in json": lambda value: json.dumps(json.dumps(value)),
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda value: repr(value.encode()),
    "html": html.escape,
    "shell": shlex.quote,
    "concatenated": lambda value: f'"{value[:5]}" + "{value[5:]}"',
    "adjacent": lambda value: f'("{value[:5]}"\n "{value[5:]}")',
    "wrapped": lambda value: f"{value[:6]}\n    {value[6:]}",
    "in a diff": lambda value: f"{value[:6]}\n+{value[6:]}",
    "continued": lambda value: f"{value[:6]}\\\n{value[6:]}",
    "coloured": lambda value: f"{value[:4]}\x1b[31m{value[4:]}\x1b[0m",
}
SURROUNDINGS: dict[str, Callable[[str], str]] = {
    "error": lambda text: f"there is no run x {text}",
    "id": lambda text: f"tests/test_a.py::test_x[1-{text}]",
    "quotes": lambda text: f'it said "{text}" and failed',
    "code": lambda text: f"use `{text}` here",
    "assertion": lambda text: f"E       assert '{text}' == 1",
    "colon": lambda text: f"{text}: no such thing",
    "list": lambda text: f"a, {text}, b",
    "indented": lambda text: "    " + text.replace("\n", "\n    "),
    "diff": lambda text: "".join(f"+{line}\n" for line in text.splitlines()),
    "repr": repr,
    "json": lambda text: json.dumps({"message": text}),
}


def masker_of_environment(value: str) -> Masker:
    return Masker(environment={"APP_PASSWORD": value})


def masker_that_has_read(value: str) -> Masker:
    masker = Masker()
    masker.mask(f"export APP_PASSWORD={shlex.quote(value)}")
    return masker


@pytest.mark.parametrize("build", [masker_of_environment, masker_that_has_read])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", VALUES)
def test_each_form_is_found(value: str, form: str, build: Callable[[str], Masker]) -> None:
    written = FORMS[form](value)
    masked = build(value).mask(f"sent {written} there")
    pieces = {written[at : at + 7] for at in range(len(written) - 6)}
    left = [each for each in pieces if each.isprintable() and each in masked and each.strip()]
    assert [each for each in left if not set(each) <= set(" \"'()+\\n")] == []


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_each_row_is_masked_in_each_surrounding(surrounding: str) -> None:
    def survives(row: Sample) -> bool:
        masked = Masker().mask(SURROUNDINGS[surrounding](row.text))
        return any(each in masked or json.dumps(each)[1:-1] in masked for each in row.secrets)

    assert [row.id for row in load_rows() if survives(row)] == ["cli-66-expect"]


@pytest.mark.parametrize(
    "value",
    [
        "true",
        "1234",
        "test",
        "localhost",
        "postgres",
        "password",
        "changeme1",
        "20260131",
        "10.20.30.40",
        "127.0.0.1:8080",
        "localhost:5432",
        "/etc/passwd",
        "~/.ssh/id_rsa",
        "disabled",
        "aaaaaaaaaa",
        "production",
    ],
)
def test_common_values_are_masked_only_beside_their_name(value: str) -> None:
    assert not is_distinctive(value)
    text = f"{value} is what it printed"
    assert Masker(environment={"DB_PASSWORD": value}).mask(text) == text


@pytest.mark.parametrize("value", [*VALUES, "/3xLz-q7Wv0", "~3xLz.q7Wv0", ".3xLz-q7Wv0"])
def test_distinctive_values_are_masked_alone(value: str) -> None:
    assert is_distinctive(value)


def test_what_was_masked_before_is_masked_again_with_tags() -> None:
    masker = Masker(key=b"k" * 32)
    ids = [masker.mask_identifier(f"test_x[Quokka-77-{word}]") for word in ("lagoon", "meadow")]
    assert ids == ["test_x[Quokka-77-lagoon]", "test_x[Quokka-77-meadow]"]
    assert masker.count_learned == 0
    masker.mask("DB_PASSWORD=Quokka-77-lagoon OTHER_PASSWORD=Quokka-77-meadow")
    again = [masker.mask_again(each) for each in ids]
    assert len(set(again)) == 2
    assert "Quokka" not in "".join(again)
    assert [masker.mask_again(each) for each in again] == again
