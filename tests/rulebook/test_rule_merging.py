"""Rules of a run's copy are merged into the user's file, whatever the user did to it since."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import Rule
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rule_merging import merge_learned_rules
from orchestrator.rulebook.scope import parse_scope, render_front_matter
from teacher.models import RuleText
from tests.rulebook.making import TODAY

NAME = "CLAUDE.md"
IDS = [f"r-{number:06x}" for number in range(5)]


def build(rules: dict[str, str], text: str = "# Mine\n") -> RuleFileSet:
    file_set = RuleFileSet({NAME: text.encode()})
    for identity, words in rules.items():
        rule = Rule(identity, RuleText(f"Never {words}", "Always", "So"), "pytest")
        file_set = file_set.add_rule_to(NAME, rule, "")
    return file_set


def read(file_set: RuleFileSet) -> dict[str, str]:
    return {rule.id: rule.text.rule.removeprefix("Never ") for rule in file_set.rules}


def merge(own: RuleFileSet, before: RuleFileSet, learned: RuleFileSet) -> RuleFileSet:
    return merge_learned_rules(own, before, learned, [NAME], TODAY)


RULES = st.dictionaries(st.sampled_from(IDS), st.sampled_from(["a", "b", "c"]))


@given(own=RULES, before=RULES, learned=RULES)
def test_each_rule_is_merged_by_itself(
    own: dict[str, str], before: dict[str, str], learned: dict[str, str]
) -> None:
    merged = merge(build(own, "# Edited\n"), build(before), build(learned))
    for identity in IDS:
        mine, old, new = (each.get(identity) for each in (own, before, learned))
        # What the user changed counts; else what the run changed.
        expected = (mine or new if old is None else new) if mine == old else mine
        if old is None and mine is None:
            expected = new
        assert read(merged).get(identity) == expected
    assert merged.files[NAME].startswith(b"# Edited\n")


@given(own=RULES, before=RULES, learned=RULES)
def test_merging_again_changes_nothing(
    own: dict[str, str], before: dict[str, str], learned: dict[str, str]
) -> None:
    """As after a kill between the write of the file and that of the note about it."""
    once = merge(build(own), build(before), build(learned))
    assert read(merge(once, build(before), build(learned))) == read(once)
    assert merge(once, build(learned), build(learned)).files == once.files


def test_a_scoped_rule_keeps_its_scope_in_a_new_file() -> None:
    name = ".claude/rules/learned-src.md"
    rule = replace(Rule(IDS[0], RuleText("Never a", "", ""), ""), paths=("src/**",))
    learned = RuleFileSet().add_rule_to(name, rule, "")
    merged = merge_learned_rules(RuleFileSet(), RuleFileSet(), learned, [name], TODAY)
    assert merged.files == learned.files


@given(st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True))
def test_front_matter_holds_any_glob_as_data(globs: list[str]) -> None:
    """Whatever a scope contains, it ends no front matter and adds no key to it."""
    data = render_front_matter(tuple(globs))
    lines = data.decode().split("\n")
    assert lines[0] == lines[-2] == "---"
    assert lines[1] == "paths:"
    assert all(line.startswith(("- ", "  ", "? ", ": ")) for line in lines[2:-2]), lines
    assert parse_scope(data + b"\n# x\n") == tuple(
        dict.fromkeys(glob.strip() for glob in globs if glob.strip())
    )


def test_front_matter_that_is_put_into_a_glob_stays_in_it() -> None:
    glob = 'a"\n---\nhooks: [{run: x}]\n---\n'
    data = render_front_matter((glob,))
    assert parse_scope(data) == (glob.strip(),)
    assert data.count(b"\n---\n") == 1
