from orchestrator.sessions.detectors.procedures import SEPARATOR, find_procedures
from orchestrator.sessions.models import Denial
from tests.sessions.hand_made import Script, build_session

STEPS = ("make fmt", "make lint", "make test", "git add a.py", "git push")


def run(*commands: str) -> Script:
    script = Script().prompt("Ship it")
    for command in commands:
        script.bash(command)
    return script


def test_each_run_of_four_commands_is_found() -> None:
    found = list(find_procedures(build_session(run(*STEPS))))
    assert [each.detail["position"] for each in found] == [0, 1]
    first, second = (each.key.split(SEPARATOR) for each in found)
    assert first[1:] == second[:-1]
    assert found[0].detail["commands"] == first
    assert found[0].quote.splitlines() == [f"$ {step}" for step in STEPS[:4]]


def test_looking_and_repeating_make_no_difference() -> None:
    plain = [each.key for each in find_procedures(build_session(run(*STEPS)))]
    noisy = ("ls", STEPS[0], "git status", STEPS[1], STEPS[1], "cat a", *STEPS[2:])
    assert [each.key for each in find_procedures(build_session(run(*noisy)))] == plain


def test_chained_commands_are_as_many() -> None:
    plain = [each.key for each in find_procedures(build_session(run(*STEPS)))]
    chained = run("cd /a && make fmt && make lint", *STEPS[2:])
    assert [each.key for each in find_procedures(build_session(chained))] == plain


def test_one_call_with_four_commands_is_a_script() -> None:
    assert not list(find_procedures(build_session(run(" && ".join(STEPS[:4])))))


def test_trying_again_is_no_procedure() -> None:
    script = run("make test", "make lint", "make test", "make lint", "make test")
    assert not list(find_procedures(build_session(script)))


def test_what_was_not_carried_out_and_what_failed_is_no_part() -> None:
    script = run(*STEPS[:3])
    script.call("Bash", denial=Denial.REJECTED, command=STEPS[3])
    script.call("Bash", is_error=True, command=STEPS[4])
    assert not list(find_procedures(build_session(script)))


def test_subagents_are_left_out() -> None:
    script = Script("a1")
    for step in STEPS:
        script.bash(step)
    assert not list(find_procedures(build_session(Script(), script)))


def test_a_key_fits_where_it_is_stored() -> None:
    long = " ".join(f"--option-{chr(97 + number)}" for number in range(26))
    script = run(*(f"make {name} {long}" for name in ("fmt", "lint", "test", "build")))
    (found,) = find_procedures(build_session(script))
    assert len(found.key) <= 300
    assert len(found.key.split(SEPARATOR)) == 4
