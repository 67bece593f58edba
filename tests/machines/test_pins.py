"""The pinned versions belong to this pyproject.toml, and name no host."""

import re
import tomllib
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.machines.pins import FILES, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(r"^([a-z0-9-]+(?:\[[a-z,]+\])?)==(\S+)")


def requirements() -> Iterator[Requirement]:
    """All that the Makefile installs by name."""
    groups = PROJECT["dependency-groups"]
    extras = PROJECT["project"]["optional-dependencies"]
    texts = {*PROJECT["project"]["dependencies"], *extras["claude"], *groups["dev"]}
    texts |= {*groups["setup"]}
    yield from map(Requirement, sorted(texts))


def pins(name: str) -> dict[str, Version]:
    """The version of each package; the oldest, where platforms or Pythons differ."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [(each[1], Version(each[2])) for each in map(PIN.match, lines) if each]
    return {canonicalize_name(each): version for each, version in sorted(found, reverse=True)}


def lower_bound(requirement: Requirement) -> Version:
    (bound,) = (each.version for each in requirement.specifier if each.operator == ">=")
    return Version(bound)


def test_there_are_requirements() -> None:
    assert len(list(requirements())) > 20
    build = {Requirement(text).name for text in PROJECT["build-system"]["requires"]}
    assert build <= {Requirement(text).name for text in PROJECT["dependency-groups"]["setup"]}


@pytest.mark.parametrize("requirement", list(requirements()), ids=lambda each: str(each.name))
def test_each_requirement_has_its_pins(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    assert pins("constraints.txt")[name] in requirement.specifier
    assert pins("constraints-lowest.txt")[name] == lower_bound(requirement)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_pins_names_no_host_and_says_how_much_there_is_to_download(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    for part in ("runtime", "claude", "development"):
        pattern = rf"^# {part}: \d+ packages, \d+ MB to download, \d+ MB on disk$"
        assert re.search(pattern, text, re.MULTILINE)
    others = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(others) > 60
    assert [line for line in others if line and not PIN.match(line)] == []
