"""The command is followed to the files that decide what it does, and not into what it tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.guard.command_chain import follow_command
from tests.guard.projects import write

RUNNER = "import subprocess, sys\nsys.exit(subprocess.call([sys.executable, '-m', 'unittest']))\n"
SELFTEST = (
    "def to_cents(text):\n    return int(float(text) * 100)\n\n\n"
    "if __name__ == '__main__':\n    assert to_cents('1.005') == 101\n"
)

CHAINS: dict[str, tuple[str, Mapping[str, str], Sequence[str], Sequence[str], Sequence[str]]] = {
    # name: command, files, guarded, absent, free
    "make": (
        "make test",
        {"Makefile": "test:\n\tpytest tests\n"},
        ["Makefile"],
        ["makefile", "GNUmakefile"],
        [],
    ),
    "included, also where it is not there": (
        "make test",
        {
            "Makefile": "include build/common.mk\n-include local.mk\ntest:\n\t$(PYTEST)\n",
            "build/common.mk": "PYTEST = python -m pytest\ninclude build/more.mk\n",
        },
        ["Makefile", "build/common.mk"],
        ["local.mk", "build/more.mk"],
        [],
    ),
    "sourced by a recipe": (
        "make",
        {"Makefile": "test:\n\t. ./.env; python -m pytest\n", ".env": "A=1\n"},
        [".env"],
        [],
        [],
    ),
    "scripts of a recipe, to the end": (
        "make check",
        {
            "Makefile": "all: check\ncheck: lint\n\t@sh tools/x.sh\nlint:\n\t./lint.sh\n",
            "tools/x.sh": "#!/bin/sh\npython tools/check.py\nsource tools/env.sh\n",
            "tools/check.py": RUNNER + "import plan\n",
            "tools/plan.py": "X = 1\n",
            "tools/env.sh": "A=1\n",
            "lint.sh": "#!/bin/sh\n",
        },
        ["tools/x.sh", "tools/check.py", "tools/plan.py", "tools/env.sh", "lint.sh"],
        [],
        [],
    ),
    "a target that is not run": (
        "make test",
        {
            "Makefile": "test:\n\tpytest\nrun:\n\tpython shop/run.py\n\tsh deploy.sh\n",
            "shop/run.py": "print(1)\n",
            "deploy.sh": "true\n",
        },
        ["Makefile"],
        [],
        ["shop/run.py", "deploy.sh"],
    ),
    "npm's scripts and their files": (
        "npm test",
        {
            "package.json": '{"scripts": {"pretest": "sh pre.sh", "test": "node scripts/test.js"}}',
            "scripts/test.js": "require('child_process'); require('./list.js')\n",
            "scripts/list.js": "module.exports = []\n",
            "pre.sh": "true\n",
        },
        ["package.json", "scripts/test.js", "scripts/list.js", "pre.sh"],
        [".npmrc"],
        [],
    ),
    "a shell line": (
        "cd sub && ../run.sh && sh -c 'python ../tools/check.py'",
        {"run.sh": "#!/bin/sh\n", "tools/check.py": RUNNER, "sub/x.txt": ""},
        ["run.sh", "tools/check.py"],
        [],
        [],
    ),
    "tox": (
        "tox",
        {"tox.ini": "[testenv]\ncommands =\n    sh x.sh\n    pytest\n", "x.sh": "true\n"},
        ["tox.ini", "x.sh"],
        ["tox.toml"],
        [],
    ),
    "nox": (
        "nox -s tests",
        {
            "noxfile.py": "def tests(s):\n    s.run('python', 'tools/check.py')\n",
            "tools/check.py": RUNNER,
        },
        ["noxfile.py", "tools/check.py"],
        [],
        [],
    ),
    "just": (
        "just test",
        {"justfile": "set dotenv-load\ntest:\n    sh x.sh\n", "x.sh": "true\n"},
        ["justfile", "x.sh"],
        [".justfile", ".env"],
        [],
    ),
    "task": (
        "task test",
        {"Taskfile.yml": "tasks:\n  test:\n    cmds:\n      - sh x.sh\n", "x.sh": "true\n"},
        ["Taskfile.yml", "x.sh"],
        [],
        [],
    ),
    "pytest's configuration": (
        "pytest -c conf/p.ini @args.txt shop/prices.py tests",
        {"conf/p.ini": "[pytest]\n", "args.txt": "-q\n", "shop/prices.py": SELFTEST},
        ["conf/p.ini", "args.txt"],
        [],
        ["shop/prices.py"],
    ),
    "a script with a self-test": (
        "python shop/prices.py",
        {"shop/prices.py": SELFTEST},
        [],
        [],
        ["shop/prices.py"],
    ),
    "a script that tests others": (
        "python checks/run.py",
        {"checks/run.py": "import shop\ndef check():\n    assert shop.X\n", "shop/__init__.py": ""},
        ["checks/run.py"],
        [],
        [],
    ),
    "a runner's own helper in the project's folder": (
        "python run_tests.py",
        {
            "run_tests.py": "import pytest\nfrom ci_helpers import arguments\nimport shop\n"
            "raise SystemExit(pytest.main(arguments()))\n",
            "ci_helpers.py": "from ci_more import X\ndef arguments(): return [X]\n",
            "ci_more.py": "X = 'tests'\n",
            "shop.py": "X = 1\n",
            "tests/test_shop.py": "import shop\n",
        },
        ["run_tests.py", "ci_helpers.py", "ci_more.py"],
        [],
        ["shop.py"],
    ),
    "a runner with tests of its own": (
        "python check.py",
        {
            "check.py": "import unittest\nfrom shop import X\n"
            "class Test(unittest.TestCase):\n    def test_x(self): self.assertTrue(X)\n"
            "unittest.main()\n",
            "shop.py": "X = 1\n",
        },
        ["check.py"],
        [],
        ["shop.py"],
    ),
    "a shell of npm's own": (
        "npm test",
        {"package.json": '{"scripts": {"test": "python -m unittest"}}'},
        ["package.json"],
        [".npmrc"],
        [],
    ),
    "a package.json that names no commands": (
        "npm test && yarn test",
        {"package.json": '{"scripts": null}'},
        ["package.json"],
        [],
        [],
    ),
    "configuration of a runner": (
        "npx jest",
        {},
        [],
        ["jest.config.js", "jest.config.ts"],
        [],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_command_is_followed_to_its_end(name: str, project: Path) -> None:
    command, files, guarded, absent, free = CHAINS[name]
    write(project, files)
    chain = follow_command(project, command)
    assert set(guarded) <= chain.files.keys()
    assert set(absent) <= chain.absent.keys()
    assert not chain.files.keys() & set(free)


def test_programs_are_named(project: Path) -> None:
    write(project, {"Makefile": "test:\n\tA=1 env B=2 python3.11 -m pytest\n"})
    assert {"make", "python3.11", "env"} <= follow_command(project, "make").programs
