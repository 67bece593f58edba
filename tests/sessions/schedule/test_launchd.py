"""The property list: what its parser reads from it."""

import plistlib
from pathlib import Path

from hypothesis import given

from orchestrator.sessions.schedule import launchd
from orchestrator.sessions.schedule.job import ClockTime, Job
from tests.sessions.schedule.jobs import CLOCKS, ODD, WORDS, make_job


@given(WORDS, CLOCKS)
def test_every_text_survives(word: str, at: ClockTime) -> None:
    job = Job((f"/{word}", word), {"X": word}, at, Path(f"/{word}/log"))
    values = plistlib.loads(launchd.render_plist(job).encode())
    assert values["ProgramArguments"] == [f"/{word}", word]
    assert values["EnvironmentVariables"] == {"X": word}
    assert values["StandardOutPath"] == values["StandardErrorPath"] == str(job.log)
    assert values["StartCalendarInterval"] == {"Hour": at.hour, "Minute": at.minute}


def test_it_starts_at_login_too() -> None:
    values = plistlib.loads(launchd.render_plist(make_job(Path("/h") / ODD)).encode())
    assert values["RunAtLoad"] is True
    assert values["Umask"] == 0o077
    assert values["Label"] == launchd.LABEL == launchd.find_plist(Path("/h")).stem
