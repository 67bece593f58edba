import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.detectors.corrections import (
    LONGEST_CORRECTION,
    find_corrections,
    is_correction,
)
from orchestrator.sessions.models import SessionClass
from tests.sessions.hand_made import Script, build_session

CORRECTIONS = [
    "no, use the real database",
    "No - the other file",
    "no don't set it",
    "No, do not wait",
    "no we removed those commands on purpose",
    "nope, that flag is gone",
    "hmm no, it should be the worktree",
    "do not stash anything, read the files you need",
    "Never commit to main",
    "stop mocking the database",
    "that is wrong, the trailers are in main as well",
    "this isn't what I asked for",
    "it is still failing",
    "it doesn't work",
    "you forgot the migration",
    "you're wrong: the hook gets the text",
    "You should not have deleted the test",
    "I said the second one",
    "I didn't ask for a commit",
    "revert that",
    "nah let's roll back, nobody needs it",
    "not as a comment, but as a document",
    "use pnpm, not npm",
    "the first part is not correct, we use hooks for it",
    "I'd rather keep the old name for now",
    "wait, that's not the right branch",
    # German, Spanish, French
    "Nein, nimm die andere Datei",
    "nein das ist die falsche Datei",
    "das ist falsch",
    "Du hast den Test vergessen",
    "Ich meinte die zweite Funktion",
    "mach das r\u00fcckg\u00e4ngig",
    "benutze bitte nicht npm",
    "no uses npm",
    "No, usa pnpm",
    "eso est\u00e1 mal",
    "te dije que no borres nada",
    "Non, utilise pnpm",
    "n'utilise pas npm",
    "ce n'est pas le bon fichier",
    "tu as oubli\u00e9 le test",
]
OTHERS = [
    "no",
    "No.",
    "no, this is fine. commit it",
    "no, write the plan",
    "no problem",
    "no worries, go on",
    "nein danke",
    "never mind, we'll look at it later",
    "don't worry about the linter",
    "stop hook says: reviewing your changes",
    "stop for a second, so the issue was the global ignore file",
    "why did you delete the test?",
    "no, why would that be so?",
    "is that not correct?",
    "I'd prefer that",
    "yes",
    "commit and push",
    "now add a test",
    "note that the file moved",
    "nothing changed in the output, go on",
    "notify the user by mail",
    "you can use the language server",
    "its perfect",
    "continue",
    "it's still running, wait for it",
    "the user should not see this dialog after a restart",
    "Stop hook feedback:\nno, that is wrong",
    "<command-name>/no</command-name> don't",
    "This session is being continued. The user said: no, use pnpm",
    "Notiere die Ergebnisse",
    "Nicht schlecht, weiter so",
    "",
]


@pytest.mark.parametrize("text", CORRECTIONS)
def test_a_correction(text: str) -> None:
    assert is_correction(text)


@pytest.mark.parametrize("text", OTHERS)
def test_no_correction(text: str) -> None:
    assert not is_correction(text)


@given(st.text(max_size=600))
def test_only_short_texts_are_corrections(text: str) -> None:
    if is_correction(text):
        assert 0 < len(text.strip()) <= LONGEST_CORRECTION


def test_a_long_one_is_a_task() -> None:
    assert not is_correction("no, use the real database " * 20)


def test_it_must_follow_something_that_the_model_did() -> None:
    script = Script().prompt("no, use pnpm")
    assert not list(find_corrections(build_session(script)))
    script.prompt("no, use pnpm")
    assert not list(find_corrections(build_session(script)))


def test_it_is_found_after_an_action_and_after_an_interruption() -> None:
    script = Script().prompt("Install it").bash("npm i").interrupt().prompt("no, use pnpm")
    (found,) = find_corrections(build_session(script))
    assert (found.key, found.row, found.detail) == (
        "no use pnpm",
        "r3",
        {"tool": "Bash", "intent": "instruction"},
    )


def test_it_may_be_typed_while_the_model_works() -> None:
    script = Script().prompt("Install it").bash("npm i").interject("no, use pnpm")
    (found,) = find_corrections(build_session(script))
    assert (found.row, found.detail["tool"]) == ("r2", "Bash")
    script = Script().prompt("Install it").interject("no, use pnpm")
    assert not list(find_corrections(build_session(script)))


@pytest.mark.parametrize("kind", [SessionClass.HEADLESS, SessionClass.OWN, SessionClass.SUBAGENT])
def test_programs_do_not_correct(kind: SessionClass) -> None:
    script = Script().prompt("Install it").answer().prompt("no, use pnpm")
    assert not list(find_corrections(build_session(script, kind=kind)))


def test_prompts_of_subagents_are_written_by_the_model() -> None:
    script = Script("a1").prompt("Install it").answer().prompt("no, use pnpm")
    assert not list(find_corrections(build_session(Script(), script)))


@pytest.mark.parametrize("text", ["no, " + "a" * 290, "no " * 99, "not " + "x " * 140])
@pytest.mark.timeout(10)
def test_no_text_costs_much_time(text: str) -> None:
    for _ in range(200):
        is_correction(text)


def test_a_correction_that_asks_for_nothing_says_so() -> None:
    script = Script().prompt("Install it").bash("npm i").prompt("it is still not working")
    (found,) = find_corrections(build_session(script))
    assert found.detail["intent"] == "statement"
