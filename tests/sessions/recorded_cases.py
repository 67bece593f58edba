"""What is recorded headless: one case for each thing that a reader has to recognise."""

import signal
from typing import Any, Final

from orchestrator.replay import Scenario
from tests.agents.claude import SMALL, answers, fault, say, steps, use
from tests.sessions.recording import Case, Start, make_session_id

EDITS: Final = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")
CART: Final = """\
def total(prices):
    return sum(prices) - 1


def count(prices):
    return len(prices)
"""
TEST_CART: Final = """\
from cart import count, total


def test_total():
    assert total([2, 3]) == 5


def test_count():
    assert count([2, 3]) == 2
"""
SHOP: Final = {"cart.py": CART, "test_cart.py": TEST_CART}
WAIT: Final = "python3 -c 'import time; time.sleep(30)'"
HIDDEN_PIPE: Final = "pytest -q test_cart.py 2>&1 | tail -3"
HIDDEN_ECHO: Final = "pytest -q test_cart.py; echo done"
SKILL: Final = """\
---
name: release
description: How to release the shop.
---

1. Run the tests.
2. Tag the commit.
"""
STOP_HOOK: Final = (
    "test -e .asked || { touch .asked; "
    'echo \'{"decision":"block","reason":"No, run the tests first"}\'; }'
)
COMMAND: Final = "Say hello to $ARGUMENTS.\n"


def both(*tools: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a reply that calls several tools at once."""
    return {"tools": [{"name": name, "input": given} for name, given in tools], "usage": SMALL}


def bash(command: str) -> dict[str, Any]:
    return use("Bash", command=command, description="Run a command")


def edit(path: str, old: str, new: str) -> dict[str, Any]:
    return use("Edit", file_path=f"${{cwd}}/{path}", old_string=old, new_string=new)


def read(path: str) -> dict[str, Any]:
    return use("Read", file_path=f"${{cwd}}/{path}")


def start(name: str, prompt: str, *arguments: str, **more: Any) -> Start:
    """Return a first start, with the session id of the case."""
    return Start(prompt, ("--session-id", make_session_id(name), *arguments), **more)


def resume(name: str, prompt: str, *arguments: str, **more: Any) -> Start:
    return Start(prompt, ("--resume", make_session_id(name), *arguments), **more)


def hook(decision: str, reason: str) -> dict[str, Any]:
    """Return settings with a hook that decides about each use of Bash."""
    said = (
        '{"hookSpecificOutput":{"hookEventName":"PreToolUse",'
        f'"permissionDecision":"{decision}","permissionDecisionReason":"{reason}"}}}}'
    )
    command = {"type": "command", "command": f"echo '{said}'"}
    return {"hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [command]}]}}


def subagent() -> Scenario:
    """Return a model whose agent asks another one, which fails to read a file."""
    ask = use(
        "Agent",
        description="Look for the price list",
        prompt="FIND-PRICES: read prices.json and say what it holds.",
        subagent_type="general-purpose",
    )
    return answers(
        {
            "when": {"lacks": "Ask a helper"},
            "steps": [read("prices.json"), bash("ls"), say("There is no price list.")],
        },
        {"steps": [ask, say("The helper found no price list.")]},
    )


def case(name: str, scenario: Scenario, prompt: str, *arguments: str, **more: Any) -> Case:
    return Case(name, scenario, (start(name, prompt, *arguments),), **more)


LOOP: Final = steps(
    bash("pytest -q test_cart.py"),
    edit("cart.py", "sum(prices) - 1", "sum(prices) - 2"),
    bash("pytest -q test_cart.py"),
    edit("cart.py", "sum(prices) - 2", "sum(prices)"),
    bash("pytest -q test_cart.py"),
    say("The tests pass."),
)

CASES: Final = (
    case(
        "tool-errors",
        steps(
            read("missing.py"),
            edit("cart.py", "return max(prices)", "return min(prices)"),
            edit("cart.py", "prices", "amounts"),
            bash("echo before; echo wrong >&2; exit 3"),
            use("NoSuchTool", value=1),
            use("Read", path="cart.py"),
            bash("grep -q nothing cart.py"),
            say("All of it failed."),
        ),
        "Try some things",
        *EDITS,
        files=SHOP,
    ),
    case(
        "hidden-failures",
        steps(bash(HIDDEN_PIPE), bash(HIDDEN_ECHO), bash("pytest -q test_cart.py"), say("Done.")),
        "Run the tests",
        *EDITS,
        files=SHOP,
    ),
    case("test-loop", LOOP, "Repair total", *EDITS, files=SHOP),
    case(
        "denied-headless",
        steps(bash("touch made.txt"), say("I was not allowed to.")),
        "Make a file",
        "--permission-mode",
        "default",
    ),
    Case(
        "denied-interrupted",
        steps(bash(WAIT), say("Not reached.")),
        (
            start(
                "denied-interrupted",
                "Wait a while",
                *EDITS,
                kill_with=signal.SIGINT,
                kill_when="time.sleep(30)",
            ),
        ),
    ),
    case(
        "denied-hook",
        steps(bash("curl http://shop.invalid"), say("The hook said no.")),
        "Fetch the page",
        *EDITS,
        settings=hook("deny", "no network in this project"),
    ),
    case(
        "denied-rule",
        steps(
            edit("secrets/key.txt", "a", "b"),
            bash("rm -r build"),
            say("Both are forbidden."),
        ),
        "Change the key",
        *EDITS,
        files={"secrets/key.txt": "a\n"},
        settings={"permissions": {"deny": ["Edit(secrets/**)", "Bash(rm:*)"]}},
    ),
    Case(
        "fork",
        steps(read("missing.py"), say("It is not there.")),
        (
            start("fork", "Look at missing.py"),
            resume(
                "fork",
                "And now the other one",
                "--fork-session",
                "--session-id",
                make_session_id("fork", 1),
                scenario=answers({"reply": say("I see.")}),
            ),
            resume("fork", "Thanks", scenario=answers({"reply": say("You are welcome.")})),
        ),
    ),
    Case(
        "resume",
        steps(read("README.md"), say("A shop.")),
        (
            start("resume", "What is this?"),
            resume("resume", "Say it again", scenario=answers({"reply": say("A shop.")})),
        ),
    ),
    Case(
        "compaction",
        steps(read("missing.py"), say("It is not there.")),
        (
            start("compaction", "Look at missing.py"),
            resume(
                "compaction",
                "/compact",
                scenario=answers({"reply": say("<summary>File does not exist.</summary>")}),
            ),
            resume("compaction", "Go on", scenario=answers({"reply": say("Going on.")})),
        ),
    ),
    case("subagent", subagent(), "Ask a helper for the prices", *EDITS),
    case(
        "subagent-waited",
        subagent(),
        "Ask a helper for the prices",
        *EDITS,
        environment={"CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1"},
    ),
    Case(
        "killed",
        steps(read("README.md"), bash(WAIT), say("Not reached.")),
        (
            start(
                "killed",
                "Wait a while",
                *EDITS,
                kill_with=signal.SIGKILL,
                kill_when="time.sleep(30)",
            ),
        ),
    ),
    Case(
        "api-error",
        fault(500),
        (
            start("api-error", "Say hello"),
            Start(
                "Say hello",
                ("--session-id", make_session_id("api-error", 1)),
                scenario=fault(529),
            ),
        ),
    ),
    case(
        "huge-output",
        steps(bash("head -c 60000 /dev/zero | tr '\\0' x"), say("Many letters.")),
        "Print a lot",
        *EDITS,
    ),
    case(
        "two-results",
        steps(
            both(
                ("Read", {"file_path": "${cwd}/cart.py"}),
                ("Read", {"file_path": "${cwd}/missing.py"}),
            ),
            both(
                ("Bash", {"command": "exit 4", "description": "Fail"}),
                ("Bash", {"command": "sleep 1; echo late", "description": "Wait"}),
            ),
            say("Two at a time."),
        ),
        "Look at both",
        *EDITS,
        files=SHOP,
    ),
    Case(
        "skill",
        steps(use("Skill", skill="release"), say("Two steps.")),
        (
            start("skill", "How is it released?", *EDITS, "Skill"),
            resume("skill", "/greet the team", scenario=answers({"reply": say("Hello team.")})),
        ),
        files={".claude/skills/release/SKILL.md": SKILL, ".claude/commands/greet.md": COMMAND},
    ),
    case(
        "stop-hook",
        answers({"reply": say("Done.")}),
        "Say that it is done",
        settings={"hooks": {"Stop": [{"hooks": [{"type": "command", "command": STOP_HOOK}]}]}},
    ),
    case(
        "instructions",
        steps(read("README.md"), say("Read.")),
        "Read the page",
        *EDITS,
        files={"CLAUDE.md": "# Shop\n\n- **Rule**: Run pytest without a pipe.\n"},
    ),
)
