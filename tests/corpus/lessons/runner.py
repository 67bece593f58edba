"""Send a lesson through the command line, and see what Claude Code would load afterwards.

Each lesson has a project of its own, which is empty but for one module: whatever stands in its
instruction files afterwards came from the lesson.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.replay import ReplayServer, Scenario, Speaker
from tests.corpus.lessons.cases import LessonCase
from tests.corpus.program import (
    ProgramResult,
    commit_all,
    find_program,
    make_environment,
    make_lesson,
    make_teacher,
    run_commands,
    write_files,
)
from tests.corpus.records import Fate

LOADED_FILES: Final = ("CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", ".claude/**/*.md")
"""What Claude Code reads as instructions in a project, in a folder of it, or in the home."""

_FAILURE: Final = ("--failure-type", "other", "--description", "It went wrong")


@dataclass(frozen=True)
class LessonResult:
    """What became of a lesson."""

    fate: Fate
    asked: bool
    """Whether the teacher was asked: without it, the fate says nothing of the lesson."""
    program_result: ProgramResult

    @property
    def error(self) -> str:
        """Return what no lesson may cause, whatever becomes of it; empty if all is well."""
        return self.program_result.error or ("" if self.asked else "the teacher was not asked")


def run_lesson(case: LessonCase, folder: Path) -> LessonResult:
    """Report a failure to a teacher that answers with the lesson, in an empty folder."""
    project = folder / "proj"
    env = make_environment(folder)
    write_files(project, {"app.py": "x = 1\n"})
    commit_all(project, env)
    lesson = make_lesson(case.rule, when=case.when, why=case.why, paths=case.paths)
    with ReplayServer(Scenario((make_teacher(lesson),))) as teacher:
        env["ANTHROPIC_BASE_URL"] = teacher.url
        report = [find_program(), "report-failure", *_FAILURE, "--project-dir", str(project)]
        ran = run_commands([report], project, env, folder / "output.txt")
        asked = any(request.speaker is Speaker.TEACHER for request in teacher.requests)
    if any(_list_instructions(folder)):
        return LessonResult(Fate.LOADED, asked, ran)
    pending = _list_pending(project, folder, env)
    return LessonResult(Fate.WAITS if pending else Fate.LOST, asked, ran)


def _list_instructions(folder: Path) -> Iterator[Path]:
    """Yield the files with instructions for Claude Code; empty ones instruct nobody."""
    for pattern in LOADED_FILES:
        for path in folder.glob(f"**/{pattern}"):
            if "state" not in path.relative_to(folder).parts and path.read_bytes().strip():
                yield path


def _list_pending(project: Path, folder: Path, env: Mapping[str, str]) -> list[object]:
    """Return the rules that wait for a person, as the program lists them."""
    command = [find_program(), "rules", "pending", "--json", "--project-dir", str(project)]
    ran = run_commands([command], project, env, folder / "pending.txt")
    return [json.loads(line) for line in ran.output.splitlines() if line.startswith("{")]
