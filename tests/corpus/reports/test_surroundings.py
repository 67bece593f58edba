"""What a user has set and installed around the program: proxies, wrappers, variables, colours."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Final

import pytest

from orchestrator.replay import Speaker
from tests.corpus.reports.lab import (
    FIXES,
    NEVER_FIXES,
    RULE,
    TESTS,
    WRITE_GOOD,
    Lab,
    follow_steps,
    run_bash,
    vary,
)
from tests.replay.claude import claude_binary

pytestmark = [pytest.mark.corpus, pytest.mark.timeout(1200)]

_LOOPBACK: Final = {"NO_PROXY": "127.0.0.1"}
_PROXIES: Final[Mapping[str, Mapping[str, str]]] = {
    "socks5": {"ALL_PROXY": "socks5://127.0.0.1:9", **_LOOPBACK},
    "socks": {"ALL_PROXY": "socks://127.0.0.1:9/", **_LOOPBACK},
    "badport": {"HTTPS_PROXY": "http://proxy.example:port", **_LOOPBACK},
    "cafile": {"SSL_CERT_FILE": "/nowhere/corp.pem"},
    "cadir": {"SSL_CERT_DIR": "/nowhere"},
}


@vary(*_PROXIES, *(f"{name}-test" for name in _PROXIES), sample="socks5-test")
def test_proxy(lab: Lab, variant: str) -> None:
    """A proxy of a VPN for all but local addresses, or a stale file of certificates.

    Right: the teacher works, or the run ends at the preflight with exit code 3 and names the
    variable. The variants `-test` run `teacher test` alone.
    """
    lab.make_project()
    name = variant.removesuffix("-test")
    with lab.serve_model():
        if variant == name:
            result = lab.run(env=_PROXIES[name])
        else:
            test = ("teacher", "test", "--project-dir", str(lab.project))
            result = lab.orchestrator(*test, env=_PROXIES[name])
    assert result.exit in (0, 3), f"exit code {result.exit}"
    named = any(variable in result.text for variable in _PROXIES[name])
    assert result.exit == 0 or named, "the variable to correct is not named"


_WRAPPERS: Final = {
    "banner": "#!/bin/bash\necho 'Now using node v20.11.1 (npm v10.2.4)'\nexec CLAUDE \"$@\"\n",
    "noexec": '#!/bin/bash\nCLAUDE "$@"\n',
    "update": (
        '#!/bin/bash\nCLAUDE "$@"\ncode=$?\necho "\N{CHECK MARK} A new version is available"\n'
        "exit $code\n"
    ),
    "old": (
        '#!/bin/bash\nif [ "$1" = --version ]; then echo "0.2.107 (Claude Code)"; exit 0; fi\n'
        "echo \"error: unknown option '--setting-sources'\" >&2\nexit 1\n"
    ),
    "nonode": "#!/usr/bin/env node-that-is-not-here\nconsole.log(1)\n",
}
_UNUSABLE: Final = {"old": "0.2.107", "nonode": "node-that-is-not-here"}
"""Programs that do not work, and what they say about it."""


@vary(*_WRAPPERS, sample="banner")
def test_wrapper(lab: Lab, variant: str) -> None:
    """`claude` on the PATH is a wrapper, an old version, or a shim whose interpreter is missing.

    Right: a wrapper works, whatever it prints. What cannot work ends the run before any request,
    with exit code 3 and a line that says which program it was and what it said.
    """
    lab.make_project()
    program = lab.folder / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(_WRAPPERS[variant].replace("CLAUDE", str(claude_binary())), "utf-8")
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{lab.environment['PATH']}"
    with lab.serve_model():
        result = lab.run(env={"PATH": path})
    if variant not in _UNUSABLE:
        assert result.exit == 0, f"exit code {result.exit}"
        return
    assert result.exit == 3, f"exit code {result.exit}"
    assert lab.count_lessons() == 0, "a lesson was paid for"
    assert "claude" in result.text, "the program is not named"
    assert _UNUSABLE[variant] in result.text, "what the program said is not shown"


@vary("prompts", "teacher", "orchestrator", "hook", sample="prompts")
def test_shadow(lab: Lab, variant: str) -> None:
    """A project on the PYTHONPATH, or a working directory, with packages that are called as ours.

    Right: the program never imports the project's code, and goes on as always. The variant `hook`
    runs a command that `learnings init --hooks` installed.
    """
    lab.make_project()
    imported = lab.folder / "imported"
    package = "orchestrator" if variant == "hook" else variant
    note = f"open({str(imported)!r}, 'a').write(__name__ + '\\n')\n"
    (lab.project / package).mkdir()
    (lab.project / package / "__init__.py").write_text(f"{note}VERSION = 1\n", "utf-8")
    if variant == "hook":
        (lab.project / "json.py").write_text(note, "utf-8")
        _check_hook(lab)
    else:
        lab.commit()
        with lab.serve_model():
            result = lab.run(env={"PYTHONPATH": str(lab.project)}, cwd=lab.project)
        assert result.exit == 0, f"exit code {result.exit}"
    assert not imported.exists(), "the program imported the project's code"


def _check_hook(lab: Lab) -> None:
    """Install the hooks, and see that one of them notes a call that failed."""
    lab.commit()
    where = ("--project-dir", str(lab.project))
    lab.orchestrator("learnings", "init", "local", "--gitignore", "none", "--hooks", *where)
    settings = json.loads((lab.project / ".claude" / "settings.json").read_text("utf-8"))
    matchers = [each for matchers in settings["hooks"].values() for each in matchers]
    command = next(hook["command"] for each in matchers for hook in each["hooks"])
    event = {
        "session_id": "s",
        "transcript_path": "/nowhere.jsonl",
        "cwd": str(lab.project),
        "hook_event_name": "PostToolUseFailure",
        "tool_name": "Bash",
        "tool_input": {"command": "make deploy"},
        "tool_use_id": "t1",
        "error": "Exit code 2\nmake: *** No rule to make target 'deploy'",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        input=json.dumps(event),
        text=True,
        cwd=lab.project,
        env={**lab.environment, "CLAUDE_PROJECT_DIR": str(lab.project)},
        capture_output=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    assert done.returncode == 0, "the hook failed"
    files = [path for path in (lab.project / ".learnings").rglob("*") if path.is_file()]
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    assert any("make deploy" in text for text in texts), "the failed call was not noted"


_COMMITTING_TEST: Final = """

def test_log(tmp_path):
    import subprocess
    (tmp_path / 'a').write_text('x')
    author = ['-c', 'user.name=T', '-c', 'user.email=t@example.org']
    for words in (['init', '-q'], ['add', 'a'], [*author, 'commit', '-qm', 'fixture']):
        subprocess.run(['git', *words], cwd=tmp_path, check=True)
"""


@vary("isolate", "suite", sample="suite")
def test_gitdir(lab: Lab, variant: str) -> None:
    """Started by a git hook or `git rebase -x`: GIT_DIR, GIT_INDEX_FILE and GIT_PREFIX are set.

    Right: HEAD, index, configuration and reflog of the user's repository stay as they were, when
    the agent commits in a separate work tree (`isolate`), and when a test commits in a repository
    of its own (`suite`).
    """
    lab.make_project(tests=TESTS + (_COMMITTING_TEST if variant == "suite" else ""))
    before = _read_repository(lab)
    commit = run_bash("git add prices.py && git commit -qm 'fix rounding'")
    agent = follow_steps(WRITE_GOOD, commit) if variant == "isolate" else FIXES
    config = lab.folder / "o.yaml"
    config.write_text('claude:\n  allowed_tools: ["Bash(git *)"]\n', "utf-8")
    git = lab.project / ".git"
    variables = {"GIT_DIR": str(git), "GIT_INDEX_FILE": str(git / "index"), "GIT_PREFIX": ""}
    options = ["--config", str(config), *(["--isolate"] if variant == "isolate" else [])]
    with lab.serve_model(*agent):
        result = lab.run(*options, env=variables, cwd=lab.project)
    after = _read_repository(lab)
    changed = [name for name in before if before[name] != after[name]]
    assert not changed, f"the user's repository changed: {', '.join(changed)}"
    assert result.exit == 0, f"exit code {result.exit}"


def _read_repository(lab: Lab) -> dict[str, str]:
    return {
        "HEAD": lab.git("rev-parse", "HEAD"),
        "index": lab.git("ls-files", "-s"),
        "reflog": lab.git("reflog"),
        "configuration": lab.git("config", "--local", "-l"),
    }


_COLOURS: Final = {"force": {"FORCE_COLOR": "1"}, "py": {"PY_COLORS": "1"}, "none": {}}


@vary(*_COLOURS, sample="py")
def test_colour(lab: Lab, variant: str) -> None:
    """Colours are on in many CI images and shells; pytest then writes escape codes.

    Right: none of them in the teacher's evidence, nor on a stream that is no terminal.
    """
    lab.make_project()
    with lab.serve_model(*NEVER_FIXES):
        result = lab.run(retries=0, env=_COLOURS[variant])
    evidence = lab.join_requests(Speaker.TEACHER)
    assert "x1B[" not in evidence, "escape codes in the teacher's evidence"
    assert "\x1b" not in evidence, "escape codes in the teacher's evidence"
    assert "\x1b" not in result.text, "escape codes on a stream that is no terminal"
    assert "x1B" not in result.text, "escape codes on a stream that is no terminal"
    assert result.exit == 1, f"exit code {result.exit}"
    assert RULE in lab.memory.read_text("utf-8"), "nothing was learned"


_DATABASE: Final = "postgresql://nobody@127.0.0.1:9/none"
_URLS: Final = {
    "DBOS_SYSTEM_DATABASE_URL": _DATABASE,
    "DBOS_DATABASE_URL": _DATABASE,
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
}
_CLOUD: Final = {"DBOS__CLOUD": "true"}
_MACHINE: Final = {
    "DBOS__VMID": "vm-theirs",
    "DBOS__APPVERSION": "v-theirs",
    "DBOS__APPID": "app-theirs",
}
_DBOS: Final = {
    "urls": _URLS,
    "cloud": _CLOUD,
    "vm": _MACHINE,
    "all": {**_URLS, **_CLOUD, **_MACHINE},
}
_DBOS_CONFIG: Final = f"""\
name: shop
language: python
system_database_url: {_DATABASE}
database_url: {_DATABASE}
runtimeConfig:
  start: [python main.py]
telemetry: {{logs: {{logLevel: DEBUG}}}}
"""


@vary(*_DBOS, sample="cloud")
def test_dbos(lab: Lab, variant: str) -> None:
    """The project itself uses DBOS, or is deployed by its cloud: its variables are exported.

    Right: the program uses its own database, nothing goes to theirs; a run and a resume work.
    """
    lab.make_project()
    (lab.project / "dbos-config.yaml").write_text(_DBOS_CONFIG, "utf-8")
    lab.commit()
    variables: dict[str, str | None] = dict(_DBOS[variant])
    with lab.serve_model():
        first = lab.run("--no-auto-retry", env=variables, cwd=lab.project)
        later = {**variables, "DBOS__VMID": None}  # another machine carries it on
        result = lab.orchestrator("resume", env=later, cwd=lab.project)
    assert result.exit == 0, f"resume: exit code {result.exit}"
    assert "postgres" not in first.text + result.text, "the user's database was tried"
