"""The job: the environment of now without secrets, and the time of day."""

import sys
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.sessions.schedule.job import ClockTime, build_job, list_notices, parse_clock
from orchestrator.sessions.schedule.night_log import (
    MOST_BYTES,
    RETAINED_BYTES,
    find_log,
    prepare_log,
)

AT = ClockTime(2, 0)
STATE = Path("/state")
SECRET = "sk-ant-api03-" + "Ab3dEf9h" * 11 + "-AAAA"


def test_no_key_gets_into_it(home: Path) -> None:
    environment = {
        "PATH": f"/a:relative::/b:/a:/{SECRET}:.",
        "USER": "anna",
        "ANTHROPIC_API_KEY": SECRET,
        "GITHUB_TOKEN": SECRET,
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "TZ": "Europe/Berlin",
    }
    job = build_job(AT, STATE, environment)
    assert job.environment == {
        "PATH": "/a:/b",
        "HOME": str(home),
        "USER": "anna",
        "LOGNAME": "anna",
        "ORCHESTRATOR_STATE_DIR": "/state",
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        "TZ": "Europe/Berlin",
    }
    assert job.command == (sys.executable, "-P", "-m", "orchestrator", "review", "--all", "--due")
    assert SECRET not in repr(job)


def test_a_database_is_given_only_without_its_password() -> None:
    plain = "postgresql://anna@db.example/x"
    job = build_job(AT, STATE, {"ORCHESTRATOR_DATABASE_URL": plain})
    assert job.environment["ORCHESTRATOR_DATABASE_URL"] == plain
    secret = {"ORCHESTRATOR_DATABASE_URL": "postgresql://anna:s3cr3t-w0rd@db.example/x"}
    job = build_job(AT, STATE, secret)
    assert "ORCHESTRATOR_DATABASE_URL" not in job.environment
    assert any("~/.pgpass" in notice for notice in list_notices(job, secret))
    assert "s3cr3t" not in "".join(list_notices(job, secret))


@pytest.mark.parametrize("value", ["/a\n/b", "/a\x1b[2J", "/a\u2028", "/\udce4"])
def test_what_would_break_a_line_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="CLAUDE_CONFIG_DIR cannot be written"):
        build_job(AT, STATE, {"CLAUDE_CONFIG_DIR": value})


@pytest.mark.parametrize(
    ("text", "expected"), [("2:00", "02:00"), ("23:59", "23:59"), (" 07:30 ", "07:30")]
)
def test_times_of_day(text: str, expected: str) -> None:
    assert str(parse_clock(text)) == expected


@pytest.mark.parametrize(
    "text", ["24:00", "2", "2:0", "02:60", "2pm", "-1:00", "\u0660\u0662:00", ""]
)
def test_no_times_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="not a time of day; write it as 02:00"):
        parse_clock(text)


def test_the_log_is_private_and_bounded(tmp_path: Path) -> None:
    log = find_log(tmp_path / "state")
    prepare_log(log)
    assert log.stat().st_mode & 0o777 == 0o600
    assert log.parent.stat().st_mode & 0o777 == 0o700
    log.chmod(0o644)
    with log.open("ab") as appended:  # as cron and launchd do
        appended.write(b"".join(b"line %d\n" % number for number in range(MOST_BYTES // 8)))
        appended.flush()
        before = log.stat()
        prepare_log(log)
        appended.write(b"last\n")
    after = log.stat()
    assert (after.st_ino, after.st_mode & 0o777) == (before.st_ino, 0o600)
    assert 0 < after.st_size <= RETAINED_BYTES + 5
    lines = log.read_bytes().splitlines()
    assert lines[-2:] == [b"line %d" % (MOST_BYTES // 8 - 1), b"last"]
    assert lines[0].startswith(b"line ")
    content = log.read_bytes()
    prepare_log(log)
    assert log.read_bytes() == content
