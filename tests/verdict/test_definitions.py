"""The definitions that a change touches, and those that a test can reach."""

from orchestrator.verdict.definitions import (
    MODULE,
    collect_import_names,
    find_changed_definitions,
    find_reachable_names,
)

CODE = '''"""Words."""
SEPARATOR = ","


def split(text):
    return text.split(SEPARATOR)


def count(text):
    return len(split(text))


class Box:
    def __init__(self, width):
        self.width = width

    def area(self):
        return self.width ** 2

    def label(self):
        return "box"
'''
TESTS = """from words import Box, count as number, split


def test_count():
    assert number("a,b") == 2


def test_area():
    assert Box(2).area() == 4


def test_label(box):
    assert box.label() == "box"
"""


def test_what_differs_is_named() -> None:
    assert find_changed_definitions(CODE, CODE.replace("** 2", "* 2")) == {"area"}
    assert find_changed_definitions(CODE, CODE.replace('","', '";"')) == {"SEPARATOR"}
    assert find_changed_definitions(CODE, CODE + "\n\nprint(1)\n") == {MODULE}
    assert find_changed_definitions(CODE, CODE.replace('"""Words."""', '"""Texts."""')) == set()
    assert find_changed_definitions(CODE, CODE.replace("def area", "def size")) == {"area", "size"}
    assert find_changed_definitions(CODE, "def (") == {MODULE}


def test_names_are_followed_through_bodies_and_aliases() -> None:
    found = find_reachable_names("test_count", [TESTS, CODE])
    assert found
    assert {"number", "count", "split", "SEPARATOR"} <= found
    assert "area" not in found


def test_a_method_is_reached_by_its_name_and_what_is_implicit_with_the_class() -> None:
    found = find_reachable_names("test_area", [TESTS, CODE])
    assert found
    assert {"Box", "__init__", "area"} <= found
    assert "label" not in found


def test_nothing_is_said_of_a_test_that_is_not_defined_here() -> None:
    assert find_reachable_names("test_generated", [TESTS, CODE]) is None


def test_to_import_a_file_runs_its_statements_and_no_function() -> None:
    assert "split" not in collect_import_names([TESTS, CODE])
    assert "register" in collect_import_names(["import hooks\n\nhooks.register()\n"])
