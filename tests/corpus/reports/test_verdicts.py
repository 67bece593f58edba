"""What an attempt is judged, blamed and taught for: old failures, noise, what was not permitted."""

import json
from typing import Final

import pytest

from orchestrator.replay import Speaker
from tests.corpus.reports.lab import (
    NEVER_FIXES,
    ONLY_READS,
    READ,
    RULE,
    TESTS,
    WRITE_WORSE,
    Lab,
    follow_steps,
    vary,
    write,
)

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

_SUBTESTS: Final = {
    "unittest": """\
import unittest
from prices import to_cents


class TestPrices(unittest.TestCase):
    def test_all(self):
        for text, cents in (('19.99', 1999), ('1.005', 101)):
            with self.subTest(text=text):
                self.assertEqual(to_cents(text), cents)
""",
    "pytest": """\
from prices import to_cents


def test_all(subtests):
    for text, cents in (('19.99', 1999), ('1.005', 101)):
        with subtests.test(msg=text):
            assert to_cents(text) == cents
""",
}


@vary(*_SUBTESTS, sample="unittest")
def test_subtests(lab: Lab, variant: str) -> None:
    """One test with several results, of which one fails: the function itself passes.

    Right: judged as failed, and the failing part's text reaches the teacher.
    """
    lab.make_project(tests=_SUBTESTS[variant])
    with lab.serve_model():
        result = lab.run()
    evidence = lab.join_requests(Speaker.TEACHER)
    assert result.exit == 0, f"exit code {result.exit}"
    for part in ("1.005", "100", "101"):
        assert part in evidence, "the failing part did not reach the teacher"


_NOISY_CONFTEST: Final = """\
import time, pathlib

def pytest_sessionfinish(session):
    pathlib.Path(f'run-{time.time_ns()}.log').write_text('log ' * 2000)
    pathlib.Path('.coverage').write_bytes(bytes(range(256)) * 200 + str(time.time()).encode())
"""


@vary("2000", "20000", sample="2000")
def test_noise(lab: Lab, variant: str) -> None:
    """No .gitignore, a suite that leaves files behind, many files, and an agent that edits nothing.

    Right: each attempt changed nothing, the run ends as stuck after few of them, and what the
    suite left is not sent to the teacher as the agent's work. The variant is the number of files.
    """
    lab.make_project()
    (lab.project / ".gitignore").unlink()
    (lab.project / "conftest.py").write_text(_NOISY_CONFTEST, "utf-8")
    lab.commit()
    for number in range(int(variant) // 100):
        library = lab.project / f"node_modules/p{number}/lib"
        library.mkdir(parents=True)
        for module in range(100):
            text = f"module.exports = {number}{module};\n" * 20
            (library / f"m{module}.js").write_text(text, "utf-8")
    with lab.serve_model(*ONLY_READS):
        result = lab.run(retries=5)
    evidence = lab.join_requests(Speaker.TEACHER).replace("end of logs", "").replace(" logs", "")
    assert ".log" not in evidence, "what the suite left was sent as the agent's work"
    assert "nothing changed" in result.out, "an attempt without an edit counts as one with edits"
    attempts = result.out.count("Attempt")
    assert attempts <= 4, f"{attempts} attempts before it is called stuck"


_SETTINGS: Final = {
    "deny": {"permissions": {"deny": ["Edit(prices.py)"]}},
    "hook": {
        "hooks": {
            "PreToolUse": [
                {
                    "matcher": "Write|Edit",
                    "hooks": [
                        {
                            "type": "command",
                            "command": "echo 'frozen until the release' >&2; exit 2",
                        }
                    ],
                }
            ]
        }
    },
}


@vary(*_SETTINGS, sample="deny")
def test_denied(lab: Lab, variant: str) -> None:
    """The user's settings forbid what the task needs: the agent is refused, and edits nothing.

    Right: it is reported as a matter of permission, one lesson at most is paid for, and no active
    rule is blamed.
    """
    lab.make_project(tests=TESTS + "\n\ndef test_sign():\n    assert to_cents('-1') == -100\n")
    body = "return 100 if text == '-1' else int(float(text) * 100)"
    (lab.project / "prices.py").write_text(f"def to_cents(text):\n    {body}\n", "utf-8")
    (lab.project / ".claude").mkdir()
    settings = lab.project / ".claude" / "settings.json"
    settings.write_text(json.dumps(_SETTINGS[variant]), "utf-8")
    lab.commit()
    with lab.serve_model(*NEVER_FIXES):
        result = lab.run()
    lessons = lab.count_lessons()
    assert lessons <= 1, f"{lessons} lessons paid for edits that were not permitted"
    assert "is not kept" not in result.out, "a rule is blamed for what was not permitted"
    said = result.out.lower()
    assert "permi" in said or "hook" in said, "nobody said that it was refused"


@vary("idle", "denied", sample="idle")
def test_idle(lab: Lab, variant: str) -> None:
    """After a first attempt that does not help, the agent edits nothing any more.

    Right: an attempt without an edit is no evidence against the rule, and no lesson is paid for
    the same failure of the same files again. In the variant `denied` its write is refused.
    """
    lab.make_project()
    refused = [write("/etc/prices.py", "x")] if variant == "denied" else []
    agent = (
        *follow_steps(READ, *refused, contains=[RULE]),
        *follow_steps(READ, WRITE_WORSE, lacks=[RULE]),
    )
    with lab.serve_model(*agent):
        result = lab.run(retries=4)
    lessons = lab.count_lessons()
    assert lessons <= 1, f"{lessons} lessons paid; after the first one no file changed"
    assert "is not kept" not in result.out, "the rule is blamed for attempts without any edit"


_IDS: Final = {
    "plain": "abc",
    "weird": "a/b::c[d] e\\nf\\tg \N{MONEY BAG} \\x1b[31m --deselect=x",
    "slash": "a/b",
    "colons": "a::b",
    "bracket": "a[b]c",
    "newline": "a\\nb",
    "emoji": "\N{MONEY BAG}",
    "option": "x --deselect=y",
    "space": "a b",
    "tab": "f\\tg",
    "esc": "\\x1b[31m",
    "half1": "a/b::c[d] e\\nf\\tg",
    "half2": "\N{MONEY BAG} \\x1b[31m --deselect=x",
    "unbal": "c[d] e",
    "minimal": "x::[y]",
}
_PARAMETRIZED: Final = """\
import pytest
from prices import to_cents


def test_plain():
    assert to_cents('19.99') == 1999


@pytest.mark.parametrize('text', ['1.005'], ids=['ID'])
def test_half_cent(text):
    assert to_cents(text) == 101
"""


@vary(*_IDS, sample="minimal")
def test_old_id(lab: Lab, variant: str) -> None:
    """A case that failed before, whose id holds slashes, colons, brackets, controls or options.

    Right, as with a plain id: it "failed before the attempt too", and nothing is taught.
    """
    lab.make_project(tests=_PARAMETRIZED.replace("ID", _IDS[variant]))
    with lab.serve_model(*ONLY_READS):
        result = lab.run(retries=1)
    lessons = lab.count_lessons()
    assert lessons == 0, f"{lessons} lessons for an old failure, no file changed"
    assert "failed before the attempt too" in result.out, "not known again as old"
