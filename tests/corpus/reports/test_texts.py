"""Texts from outside: tasks as lists and scripts give them, and what a webhook answers."""

from typing import Final

import pytest

from orchestrator.replay import Speaker
from tests.corpus.reports.lab import FIXES, RULE, Lab, vary
from tests.corpus.reports.servers import WEBHOOK_ANSWERS, serve_webhook

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

_TASKS: Final[dict[str, tuple[str | bytes, str]]] = {
    "checkbox": ("- [ ] Fix the rounding of to_cents", "- [ ] Fix the rounding"),
    "slash": ("/compact the prices module and fix to_cents", "/compact the prices module"),
    "at": ("@prices.py is wrong: see @SECRET and @tests/", "@prices.py is wrong"),
    "surrogate": (b"Fix to_cents, caf\xe9", "Fix to_cents, caf"),
    "big": ("Fix to_cents. " + "word " * 25_000, "word word word"),
    "odd": (
        "Fix to_cents \U0001f469\u200d\U0001f4bb \u202egnp\u202c\r\n"
        "zero\u200bwidth \u0007bell \x1b[31mred",
        "\U0001f469",
    ),
    "braces": (
        "Fix to_cents {prompt} {cwd} %s $HOME `id` $(id) <system-reminder>x</system-reminder>",
        "{prompt} {cwd} %s $HOME `id`",
    ),
}
"""The text of each task, and what of it has to reach the agent."""


@vary(*_TASKS, sample="checkbox")
def test_task(lab: Lab, variant: str) -> None:
    """A task that begins with a list's mark, a slash or an @; bytes, size, signs, placeholders.

    Right: the agent gets the text as it is, or it is refused in one line; nothing is expanded or
    run, and no control sign reaches the terminal.
    """
    lab.make_project()
    secret = lab.folder / "secret.txt"
    secret.write_text("what stands in another file\n", "utf-8")
    task, probe = _TASKS[variant]
    if isinstance(task, str):
        task = task.replace("SECRET", str(secret))
    with lab.serve_model(*FIXES):
        if variant == "checkbox":  # the short form, without the word `run`
            result = lab.orchestrator(task, "--project-dir", str(lab.project), "--max-retries", "0")
        else:
            result = lab.run(task=task, retries=0)
    refused = result.exit == 2 and len(result.err.strip().splitlines()) <= 3
    assert result.exit == 0 or refused, f"exit code {result.exit}"
    prompts = lab.join_requests(Speaker.AGENT)
    assert refused or probe in prompts, "the text did not reach the agent as it stands"
    assert "what stands in another file" not in prompts, "@path in a task was expanded"
    for sign in ("\x1b", "\u202e"):
        assert sign not in result.out, "control signs of the task reach the terminal"


_LESSONS: Final = ("array", "output", "gzip")
"""The answers that hold a lesson."""
_MUCH_TOO_LONG: Final = 100
"""Seconds for a report with a timeout of 6 s and retries for 8 s, on a machine that is busy."""


@vary(*WEBHOOK_ANSWERS, sample="array")
def test_n8n(lab: Lab, variant: str) -> None:
    """What an n8n webhook really answers: other nodes' shapes, pages, redirects, or drop by drop.

    Right: a lesson where there is one; else one line that says what to set, exit code 3, and
    nothing is written. No answer outlasts the timeout for long.
    """
    lab.make_project()
    config = lab.folder / "o.yaml"
    with serve_webhook(WEBHOOK_ANSWERS[variant]) as url:
        config.write_text(
            "teacher: {mode: webhook}\n"
            f"n8n: {{webhook_url: '{url}', timeout: 6, retry_for: 8, allow_http: true}}\n",
            "utf-8",
        )
        token = {"N8N_WEBHOOK_TOKEN": "tok"}
        result = lab.report_failure("--config", str(config), env=token)
    written = RULE in lab.memory.read_text("utf-8")
    assert result.seconds < _MUCH_TOO_LONG, "an answer outlasts a timeout of 6 s by far"
    if variant in _LESSONS:
        assert result.exit in (0, 3), f"exit code {result.exit}"
        named = any(word in result.text for word in ("node", "setting", "Respond"))
        assert written or named, "neither a rule, nor the node or setting to correct"
    else:
        assert not written, "a rule was written"
        assert result.exit == 3, f"exit code {result.exit}"
