"""A skill of commands from transcripts: valid, loaded by the real program, and inert."""

import json
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import RulebookError, UsageError
from orchestrator.platform import process
from orchestrator.proposals.skill_files import SkillFile, list_skill_names
from orchestrator.proposals.skills import (
    LONGEST_NAME,
    Procedure,
    draft_skill,
    explain_invalid_skill,
    explain_unreadable_skill,
    is_skill_name,
)
from orchestrator.replay import ReplayServer, parse_scenario
from orchestrator.rulebook.similarity import RuleRelation, compare_rules
from tests.proposals.making import STEPS, draft_skill_proposal, open_queue, propose
from tests.replay.claude import claude_binary, run_claude

NASTY = (
    "echo @notes.md",
    "cat @./notes.md",
    "echo $ARGUMENTS $1",
    "awk '{print $2}' x",
    "echo \"quoted: 'both'\" # a: b",
    "make x ~~~",
    "---",
    "npm run -w @acme/web build",
    "git show HEAD@{1}",
    "echo !important",
    "echo \u202ereversed \x1b[31m",
    "echo '<!-- a comment -->'",
    "curl -H 'Authorization: Bearer sk-ant-api03-" + "a" * 40 + "' x",
)


def draft_text(*commands: str) -> str:
    made = draft_skill(Procedure(commands, 3))
    assert made
    return made.text


def test_a_skill_of_a_procedure() -> None:
    made = draft_skill(Procedure(STEPS, 3, "2026-11-20T10:00:00Z", "2026-11-25T10:00:00Z"))
    assert made
    assert made.name == "go-fmt-vet-git-commit"
    front = yaml.safe_load(made.text.split("---\n")[1])
    assert set(front) == {"name", "description"}
    assert front["name"] == made.name
    assert "Use it when you are about to run go fmt" in front["description"]
    assert "in 3 sessions of this project, from 2026-11-20 to 2026-11-25" in made.text
    assert "```bash\n" + "".join(f"{step}\n" for step in STEPS) + "```\n" in made.text
    assert "angle brackets" in made.text
    assert made.name in made.index.rule
    assert made.index.rule.startswith("When you are about to run go fmt")


def test_a_name_that_is_taken_gets_a_number() -> None:
    taken = {"go-fmt-vet-git-commit", "go-fmt-vet-git-commit-2"}
    made = draft_skill(Procedure(STEPS, 3), taken)
    assert made
    assert made.name == "go-fmt-vet-git-commit-3"
    assert explain_invalid_skill(made.text, made.name) == ""


@pytest.mark.parametrize(
    "command", ["echo !`whoami`", "echo `x`", "```!", "a\nb", "cat <<E\nx\nE", "", " "]
)
def test_a_command_that_cannot_be_written_safely_makes_no_skill(command: str) -> None:
    assert draft_skill(Procedure([*STEPS, command], 3)) is None
    assert draft_skill(Procedure([], 3)) is None


HIDDEN = ("run\u3164sh\u2800first", "load --\U000e0151\U000e015e", "e\u034f x", "p\u0430y x")


@pytest.mark.parametrize("command", HIDDEN)
def test_what_a_reader_does_not_see_gets_into_no_skill(project: Path, command: str) -> None:
    assert draft_skill(Procedure([*STEPS, command], 3)) is None
    made = draft_skill_proposal(project)
    texts = {"text": f"{made.content['text']}{command}\n"}
    (identity,) = propose(project, replace(made, content={**made.content, **texts}))
    with open_queue(project) as manager:
        with pytest.raises(UsageError, match=r"U\+|look like others"):
            manager.accept(identity)
        with pytest.raises(UsageError, match=r"U\+|look like others"):
            manager.edit_skill(identity, texts["text"])
    assert list_skill_names(project) == frozenset()
    assert not (project / "CLAUDE.md").exists()


def test_single_letters_are_options_of_a_command() -> None:
    assert "tool -c -v -f x" in draft_text(*STEPS, "tool -c -v -f x")


_COMMANDS = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=40),
        st.lists(
            st.sampled_from(
                [*NASTY, "`", "!", "@", "$", "1", "ARGUMENTS", " ", "~", "-", ":", "x"]
            ),
            min_size=1,
            max_size=5,
        ).map("".join),
    ),
    min_size=1,
    max_size=6,
)


@given(_COMMANDS)
@example(list(NASTY))
def test_nothing_in_a_skill_is_executed_imported_or_replaced(commands: list[str]) -> None:
    made = draft_skill(Procedure(commands, 3))
    if made is None:
        return
    head, _, body = made.text.removeprefix("---\n").partition("\n---\n")
    assert is_skill_name(made.name)
    assert yaml.safe_load(head)["name"] == made.name
    assert len(yaml.safe_load(head)["description"]) <= 1024
    assert "<" not in head
    assert body.count("```") == body.count("`") // 3 == 2  # our fence, and no other backtick
    assert not re.search(r"(?<!\S)@", body)
    assert not re.search(r"(?<!\\)\$(\d|ARGUMENTS)", body)
    assert all(char.isprintable() or char == "\n" for char in made.text)
    assert explain_invalid_skill(made.text, made.name) == ""
    assert explain_unreadable_skill(made.text, made.index) == ""


def test_the_index_lines_of_two_skills_do_not_exclude_each_other() -> None:
    drafts = [
        draft_skill(Procedure([*STEPS[:2], step], 3))
        for step in ("git commit", "git stash", "make")
    ]
    texts = [each.index for each in drafts if each]
    found = [compare_rules(one, other) for one, other in combinations(texts, 2)]
    assert found == [RuleRelation.UNRELATED] * 3
    assert compare_rules(texts[0], texts[0]) is RuleRelation.SAME


def test_secrets_are_masked() -> None:
    assert "sk-ant-api03" not in draft_text(*NASTY)


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=5))
@example(["claude -p x", "anthropic y"])
@example(["x" * 200])
@example(["ü ö"])
def test_names_are_valid(commands: list[str]) -> None:
    made = draft_skill(Procedure(commands, 3), {"repeated-steps"})
    if made:
        assert len(made.name) <= LONGEST_NAME
        assert is_skill_name(made.name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "front matter"),
        ("# A title\n", "front matter"),
        ("---\nname: x\n---\n", "its name is not s"),
        ("---\nname: s\n---\nbody\n", "no description"),
        ('---\nname: s\ndescription: ""\n---\nbody\n', "no description"),
        ("---\nname: s\ndescription: d\n---\n\n", "no text"),
        ("---\nname: s\ndescription: d\n---\nbody\n", ""),
    ],
)
def test_what_claude_code_would_not_load(text: str, why: str) -> None:
    found = explain_invalid_skill(text, "s")
    assert why in found
    assert bool(found) == bool(why)


@pytest.mark.parametrize("commands", [STEPS, NASTY], ids=["plain", "nasty"])
def test_the_real_program_validates_lists_and_loads_it(
    project: Path, home: Path, commands: tuple[str, ...]
) -> None:
    (project / "notes.md").write_text("A NOTE THAT IS NOT IMPORTED\n", encoding="utf-8")
    (identity,) = propose(project, draft_skill_proposal(project, commands))
    with open_queue(project) as manager:
        proposal = manager.accept(identity).item.proposal
    assert proposal
    name = proposal.content["name"]
    checked = process.capture(
        [str(claude_binary()), "plugin", "validate", "--json", "--strict", ".claude"],
        cwd=project,
        timeout=60,
    )
    assert (checked.returncode, json.loads(checked.text)["success"]) == (0, True)
    steps = [{"tools": [{"name": "Skill", "input": {"skill": name}}]}, {"say": "Done."}]
    scenario = parse_scenario(json.dumps({"answers": [{"steps": steps}]}))
    with ReplayServer(scenario) as model:
        done = run_claude(model.url, "Ship it", project, home)
        first, last = model.requests[0].text, model.requests[-1].text
    assert done.result["result"] == "Done."
    description = yaml.safe_load(proposal.content["text"].split("---\n")[1])["description"]
    assert name in first
    assert description in first  # it is listed
    assert f"use the skill `{name}`" in first  # and the index line names it
    body = proposal.content["text"].split("\n---\n")[1]
    shown = re.sub(r"\\(\$)", r"\1", body)  # the escapes are gone, and nothing is replaced
    assert " ".join(shown.split()) in " ".join(last.split())
    assert "A NOTE THAT IS NOT IMPORTED" not in last


def test_an_existing_skill_is_never_overwritten(project: Path, state: Path) -> None:
    skill = SkillFile(project.resolve(), "ship", state)
    assert skill.write("mine\n") == skill.path
    assert skill.write("mine\n") is None
    with pytest.raises(UsageError, match="exists, and has another text"):
        skill.write("other\n")
    assert skill.path.read_text("utf-8") == "mine\n"
    assert skill.remove("other\n") is None
    assert skill.remove("mine\n") == skill.path
    assert list_skill_names(project) == frozenset()


def test_other_files_of_a_skill_stay(project: Path, state: Path) -> None:
    skill = SkillFile(project.resolve(), "ship", state)
    skill.write("mine\n")
    (skill.path.parent / "more.md").write_text("x", encoding="utf-8")
    skill.remove("mine\n")
    assert list_skill_names(project) == {"ship"}


@pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "claude-x", "x" * 65, "a--b", ".x"])
def test_a_name_that_is_none_reaches_no_path(project: Path, state: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a skill"):
        SkillFile(project, name, state)


def test_a_folder_that_links_out_of_the_project_is_refused(
    project: Path, state: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (project / ".claude").mkdir()
    (project / ".claude" / "skills").symlink_to(tmp_path / "outside")
    with pytest.raises(RulebookError, match="a link out of the project"):
        SkillFile(project.resolve(), "ship", state).write("x")
    assert list((tmp_path / "outside").iterdir()) == []
