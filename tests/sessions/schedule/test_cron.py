"""The line for cron: what a shell makes of it, and that all other lines stay."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.sessions.schedule import cron
from orchestrator.sessions.schedule.job import ClockTime, Job
from tests.sessions.schedule.jobs import CLOCKS, ODD, make_job, make_recorder, read_record

OTHERS = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)
    .filter(lambda line: not line.rstrip().endswith(cron.MARK))
    .map(lambda line: f"{line}\n"),
    max_size=5,
).map("".join)


def read_command(line: str) -> str:
    """Return the command that cron gives to the shell (crontab(5)), and fail at an open `%`."""
    command = re.fullmatch(r"\d+ [\d,-]+ \* \* \* (.*)", line)
    assert command
    assert not re.search(r"(?<!\\)%", command[1])
    return command[1].replace("\\%", "%")


def list_hours(line: str) -> list[int]:
    found: list[int] = []
    for part in line.split()[1].split(","):
        start, _, end = part.partition("-")
        found += range(int(start), int(end or start) + 1)
    return found


def test_a_real_shell_starts_the_program_with_its_variables(tmp_path: Path) -> None:
    program, record = make_recorder(tmp_path / ODD)
    job = make_job(tmp_path / ODD, program)
    job.log.parent.mkdir()
    for _ in range(2):
        subprocess.run(["/bin/sh", "-c", read_command(cron.render_line(job))], env={}, check=True)
    arguments, variables = read_record(record)
    assert arguments == list(job.command[1:])
    assert {name: variables[name] for name in job.environment} == job.environment
    assert sorted(job.log.read_text().split()) == ["complained", "complained", "said", "said"]


@given(OTHERS, CLOCKS, CLOCKS)
def test_only_the_own_line_is_replaced_and_removed(
    others: str, first: ClockTime, second: ClockTime
) -> None:
    jobs = [make_job(Path("/h"))] * 2
    lines = [
        cron.render_line(Job(job.command, job.environment, at, job.log))
        for job, at in zip(jobs, (first, second), strict=True)
    ]
    once = cron.set_line(others, lines[0])
    assert once == f"{others}{lines[0]}\n"
    assert cron.set_line(once, lines[0]) == once
    twice = cron.set_line(once, lines[1])
    assert cron.find_line(twice) == f"{lines[1]}\n"
    assert cron.set_line(twice, None) == others
    assert cron.find_line(others) is None


def test_a_line_below_is_kept_and_a_last_line_without_end_is_ended() -> None:
    line = cron.render_line(make_job(Path("/h")))
    assert cron.set_line(f"a\n{line}\nb\n", None) == "a\nb\n"
    assert cron.set_line("a", line) == f"a\n{line}\n"


@given(CLOCKS)
def test_the_review_is_started_hourly_but_not_until_it_is_due_again(at: ClockTime) -> None:
    job = make_job(Path("/h"))
    line = cron.render_line(Job(job.command, job.environment, at, job.log))
    assert line.startswith(f"{at.minute} ")
    hours = list_hours(line)
    assert at.hour in hours
    assert len(hours) == len(set(hours)) == 19
    # 20 hours after a review at the chosen time it would be due; one more for the end of summer.
    assert max((hour - at.hour) % 24 for hour in hours) <= 18


@pytest.mark.parametrize("odd", ["back\\slash", "x" * 1000])
def test_what_some_cron_does_not_take_is_refused(tmp_path: Path, odd: str) -> None:
    with pytest.raises(UsageError, match="cron"):
        cron.render_line(make_job(tmp_path / odd))
