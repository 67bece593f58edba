"""Record transcripts with the real Claude Code program against the replay model.

`python -m tests.sessions.recording [NAME ...]` writes `tests/sessions/transcripts/claude-2.1/NAME`
for each case of `recorded_cases` and `typed_cases`, or for those that are named. It works in
`/home/dev`, so that no name of this machine gets into a transcript, and removes that folder at the
end; it refuses to start where the folder exists.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_program import find_bundled_program
from orchestrator.replay import ReplayServer, Scenario

HOME: Final = Path("/home/dev")
PROJECT: Final = HOME / "shop"
CONFIG: Final = HOME / ".claude"
FOLDER: Final = Path(__file__).parent / "transcripts" / "claude-2.1"

WHOLE_ROWS: Final = frozenset(
    {"user", "assistant", "system", "progress", "cost-state", "summary", "queue-operation"}
    | {"last-prompt"}
)
WHOLE_ATTACHMENTS: Final = frozenset({"instructions", "nested_memory", "queued_command"})
KEPT_KEYS: Final = (
    "parentUuid",
    "isSidechain",
    "type",
    "uuid",
    "timestamp",
    "sessionId",
    "version",
    "hash",
)
LONGEST_TEXT: Final = 3000
_QUIET: Final = {
    "ANTHROPIC_API_KEY": "sk-not-a-key",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


@dataclass(frozen=True)
class Start:
    """One start of the program: its prompt and arguments, and how it is ended."""

    prompt: str
    arguments: tuple[str, ...] = ()
    scenario: Scenario | None = None
    kill_with: signal.Signals | None = None
    kill_when: str = ""
    """The text of the transcript after which the signal is sent."""


@dataclass(frozen=True)
class Case:
    """What is recorded under one name."""

    name: str
    scenario: Scenario
    starts: tuple[Start, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def report(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def find_program() -> Path:
    program = find_bundled_program()
    assert program, "the SDK's wheel has no program for this platform"
    return program


def make_environment(url: str) -> dict[str, str]:
    tools = HOME / "bin"
    path = f"{tools}:/usr/local/bin:/usr/bin:/bin"
    return {**_QUIET, "HOME": str(HOME), "PATH": path, "ANTHROPIC_BASE_URL": url, "USER": "dev"}


def make_session_id(name: str, number: int = 0) -> str:
    """Return a session id that is the same at each recording."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"transcripts/{name}/{number}"))


def prepare(case: Case) -> None:
    """Write the home and the project of a case."""
    shutil.rmtree(HOME, ignore_errors=True)
    PROJECT.mkdir(parents=True)
    tools = HOME / "bin"
    tools.mkdir()
    runner = tools / "pytest"
    options = "-p no:cacheprovider -p no:randomly -p no:xdist -p no:hypothesispytest"
    runner.write_text(f'#!/bin/sh\nexec {sys.executable} -m pytest {options} "$@"\n')
    runner.chmod(0o755)
    for name, text in {"README.md": "# Shop\n", **case.files}.items():
        path = PROJECT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if case.settings:
        path = PROJECT / ".claude" / "settings.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(case.settings), encoding="utf-8")
    git = ("git", "-c", "user.name=Dev", "-c", "user.email=dev@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "Start")):
        subprocess.run([*git, *words], cwd=PROJECT, check=True, env=make_environment(""))


def read_transcripts() -> str:
    paths = (CONFIG / "projects").rglob("*.jsonl")
    return "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)


def run(start: Start, environment: Mapping[str, str]) -> None:
    """Start the program once, headless, and wait for its end."""
    words = [str(find_program()), "-p", start.prompt, *start.arguments]
    child = subprocess.Popen(
        [*words, "--output-format", "json"],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while start.kill_with and time.monotonic() < deadline:
        if start.kill_when in read_transcripts():
            time.sleep(0.7)
            os.kill(child.pid, start.kill_with)
            break
        time.sleep(0.1)
    child.communicate(timeout=60)
    report(f"  exit code {child.returncode}")


def shorten(value: Any) -> Any:
    """Cut long texts that do not consist of one repeated character."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT and len(set(value[1000:3000])) > 4:
        return value[:LONGEST_TEXT] + " (trimmed)"
    if isinstance(value, list):
        return [shorten(item) for item in value]
    if isinstance(value, dict):
        return {key: shorten(item) for key, item in value.items()}
    return value


def trim(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without the program's own texts: prompts, schemas, listings."""
    kind = row.get("type")
    attachment = row.get("attachment")
    stub: dict[str, Any] = {key: row[key] for key in KEPT_KEYS if key in row}
    if kind in WHOLE_ROWS:
        return {key: shorten(value) for key, value in row.items()}
    if kind == "attachment" and isinstance(attachment, dict):
        if attachment.get("type") in WHOLE_ATTACHMENTS:
            return {key: value for key, value in row.items() if not key.startswith("rendered")}
        return {**stub, "attachment": {"type": attachment.get("type")}}
    if isinstance(message := row.get("message"), dict):
        stub["message"] = {"role": message.get("role"), "content": "(trimmed)"}
    return stub


def trim_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix != ".jsonl":
        shutil.copyfile(source, target)
        return
    lines = source.read_bytes().split(b"\n")
    written = []
    for line in lines:
        try:
            row = trim(json.loads(line))
        except ValueError:
            written.append(line)
            continue
        written.append(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode())
    target.write_bytes(b"\n".join(written))


def keep(name: str) -> None:
    """Copy what the program wrote, trimmed."""
    target = FOLDER / name
    shutil.rmtree(target, ignore_errors=True)
    projects = CONFIG / "projects"
    for path in sorted(projects.rglob("*")):
        if path.is_file() and "memory" not in path.relative_to(projects).parts:
            trim_file(path, target / "projects" / path.relative_to(projects))


def record(case: Case) -> None:
    report(case.name)
    prepare(case)
    for start in case.starts:
        with ReplayServer(start.scenario or case.scenario) as model:
            run(start, {**make_environment(model.url), **case.environment})
            if model.unanswered_requests:
                report(f"  unanswered requests: {len(model.unanswered_requests)}")
    keep(case.name)


def main(names: list[str]) -> int:
    from tests.sessions.recorded_cases import CASES
    from tests.sessions.typed_cases import TYPED, record_typed

    if HOME.exists():
        report(f"{HOME} exists; move it away, the recording would remove it")
        return 2
    try:
        for case in CASES:
            if not names or case.name in names:
                record(case)
        for typed in TYPED:
            if not names or typed.name in names:
                record_typed(typed)
    finally:
        shutil.rmtree(HOME, ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
