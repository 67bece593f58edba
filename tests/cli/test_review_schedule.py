"""`orchestrator review schedule`: what is shown, written and removed, with real child processes."""

import contextlib
import os
import plistlib
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import Call, CommandResult
from tests.sessions.schedule import fake_programs

UNITS = Path(".config/systemd/user")
SERVICE, TIMER = UNITS / "orchestrator-review.service", UNITS / "orchestrator-review.timer"
LINK = UNITS / "timers.target.wants/orchestrator-review.timer"
PLIST = Path("Library/LaunchAgents/prompt-learning-loop.review.plist")
OTHERS = "MAILTO=anna\n# mine\n5 4 * * * backup 100\\% \xe9\n"


@dataclass(frozen=True)
class Machine:
    """A home folder, and the programs on the PATH."""

    home: Path
    programs: Path
    call: Call

    def add(self, *names: str) -> None:
        """Put programs on the PATH."""
        for name in names:
            source = Path(fake_programs.__file__).read_text("utf-8")
            (self.programs / name).write_text(f"#!{sys.executable} -I\n{source}", "utf-8")
            (self.programs / name).chmod(0o755)

    def fail(self, *faults: str) -> None:
        """Let programs fail from now on."""
        (self.programs / "faults").write_text("\n".join(faults), "utf-8")

    def schedule(self, *words: str) -> CommandResult:
        """Call the command."""
        return self.call("review", "schedule", *words)

    def command(self, *words: str) -> list[str]:
        """Return the command as a process of its own."""
        return [sys.executable, "-m", "orchestrator", "review", "schedule", *words]

    def start(self, *words: str) -> int:
        """Start the command as a process of its own, and return how it ended."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode

    @property
    def calls(self) -> list[str]:
        """The calls of programs so far."""
        path = self.programs / "calls"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    @property
    def crontab(self) -> Path:
        """What the fake `crontab` has stored."""
        return self.programs / "crontab.txt"

    def read_crontab(self) -> str:
        """Return the crontab; empty if there is none."""
        return self.crontab.read_text("utf-8") if self.crontab.exists() else ""

    def list_files(self) -> list[str]:
        """List the files in the home folder that are not in the state directory."""
        names = (str(each.relative_to(self.home)) for each in self.home.rglob("*"))
        return sorted(
            name
            for name in names
            if not name.startswith(".local") and not (self.home / name).is_dir()
        )


@pytest.fixture
def machine(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, call: Call) -> Machine:
    programs = tmp_path / "programs of 100% ü"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("USER", "anna")
    return Machine(home, programs, call)


def test_nothing_to_schedule_with(machine: Machine) -> None:
    shown = machine.schedule()
    assert shown.code == 0
    assert "no systemd for users, no launchd and no crontab" in shown.out
    assert f"{sys.executable} -P -m orchestrator review --all --due" in shown.out
    done = machine.schedule("--install", "--yes")
    assert (done.code, done.out, len(done.err.splitlines())) == (3, "", 1)
    assert "nothing was scheduled" in done.err
    assert machine.schedule("--remove").out == "the review is not scheduled: nothing to remove\n"
    assert machine.list_files() == []


def test_systemd_from_show_to_remove(machine: Machine) -> None:
    machine.add("systemctl", "loginctl", "crontab")
    shown = machine.schedule("--at", "3:30")
    assert "not scheduled" in shown.out
    assert "OnCalendar=*-*-* 03:30:00" in shown.out
    assert "loginctl enable-linger" in shown.out
    assert machine.list_files() == []

    done = machine.schedule("--install", "--at", "3:30", "--yes")
    assert (done.code, done.err) == (0, "")
    assert "every night at 03:30, with systemd; log: journalctl --user -u" in done.out
    assert machine.list_files() == sorted(map(str, (SERVICE, TIMER, LINK)))
    for name in (SERVICE, TIMER):
        text = (machine.home / name).read_text("utf-8")
        assert all(line in done.out for line in text.splitlines())
        assert (machine.home / name).stat().st_mode & 0o777 == 0o600
    assert f'Environment="PATH={machine.programs}"'.replace("%", "%%") in (
        machine.home / SERVICE
    ).read_text("utf-8")
    assert machine.calls[-3:] == [
        "systemctl --user daemon-reload",
        "systemctl --user enable orchestrator-review.timer",
        "systemctl --user restart orchestrator-review.timer",
    ]

    again = machine.schedule("--install", "--at", "3:30")  # nothing to ask
    assert (again.code, again.out.splitlines()[0][:15]) == (0, "still scheduled")
    changed = machine.schedule("--install", "--at", "4:00", "--yes")
    assert changed.code == 0
    assert "04:00" in (machine.home / TIMER).read_text("utf-8")
    assert "04:00" in machine.schedule().out

    removed = machine.schedule("--remove")
    assert (removed.code, removed.err) == (0, "")
    assert machine.list_files() == []
    assert machine.calls[-1] == "systemctl --user daemon-reload"


def test_a_removed_systemd_leaves_no_timer_behind(machine: Machine) -> None:
    machine.add("systemctl")
    assert machine.schedule("--install", "--yes").code == 0
    (machine.programs / "systemctl").unlink()
    assert machine.schedule("--remove").code == 0
    assert machine.list_files() == []


def test_files_of_others_stay(machine: Machine) -> None:
    machine.add("systemctl", "launchctl")
    for name, chosen in ((TIMER, "systemd"), (PLIST, "launchd")):
        path = machine.home / name
        path.parent.mkdir(parents=True)
        path.write_text("[Timer]\n", "utf-8")
        done = machine.schedule("--install", "--with", chosen, "--yes")
        assert (done.code, len(done.err.splitlines())) == (2, 1)
        assert f"{path} was not written by this program (move it away, and repeat)" in done.err
        assert "nothing to remove" in machine.schedule("--remove").out
        assert path.read_text("utf-8") == "[Timer]\n"
    assert machine.list_files() == sorted(map(str, (TIMER, PLIST)))


def test_cron_changes_one_line_only(machine: Machine) -> None:
    machine.add("crontab")
    machine.crontab.write_text(OTHERS, "latin-1")  # what is not UTF-8 stays, too
    done = machine.schedule("--install", "--yes")
    assert (done.code, done.err) == (0, "")
    assert "cron starts nothing while the machine is off" in done.out
    before, line = machine.crontab.read_bytes()[:-1].rsplit(b"\n", 1)
    assert before + b"\n" == OTHERS.encode("latin-1")
    assert line.decode() in done.out
    log = machine.home / ".local/state/prompt-learning-loop/review.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert str(log) in done.out.splitlines()[-1]
    assert machine.schedule("--install", "--yes").code == 0
    assert machine.schedule("--install", "--at", "22:10", "--yes").code == 0
    assert machine.crontab.read_bytes().count(b"# orchestrator-review\n") == 1
    assert b"\n10 0-16,22-23 * * * " in machine.crontab.read_bytes()
    assert machine.schedule("--remove").code == 0
    assert machine.crontab.read_text("latin-1") == OTHERS
    assert "crontab -r" not in machine.calls


def test_a_crontab_that_was_not_there_is_gone_again(machine: Machine) -> None:
    machine.add("crontab")
    assert machine.schedule("--install", "--yes").code == 0
    assert machine.schedule("--remove").code == 0
    assert not machine.crontab.exists()


@pytest.mark.parametrize(
    "faults", [("crontab -l cron is\x1b[2J on fire",), ("crontab - disk full",)]
)
def test_an_error_of_cron_is_one_line(machine: Machine, faults: tuple[str, ...]) -> None:
    machine.add("crontab")
    machine.crontab.write_text(OTHERS, "utf-8")
    machine.fail(*faults)
    done = machine.schedule("--install", "--yes")
    assert (done.code, len(done.err.splitlines())) == (3, 1)
    assert faults[0].rsplit(" ", 1)[1] in done.err
    assert "\x1b" not in done.output
    assert machine.crontab.read_text("utf-8") == OTHERS


def test_who_may_not_use_cron_uses_systemd(machine: Machine) -> None:
    machine.add("crontab", "systemctl")
    machine.fail("crontab -l You (anna) are not allowed to use this program (crontab)")
    assert machine.schedule("--install", "--yes").code == 0
    assert machine.schedule("--remove").code == 0


def test_launchd_loads_what_is_written(machine: Machine) -> None:
    machine.add("launchctl")
    for at in ("2:00", "3:15"):
        done = machine.schedule("--install", "--with", "launchd", "--at", at, "--yes")
        assert (done.code, done.err) == (0, "")
    written = (machine.home / PLIST).read_bytes()
    assert (machine.programs / "loaded").read_bytes() == written
    assert plistlib.loads(written)["StartCalendarInterval"] == {"Hour": 3, "Minute": 15}
    assert machine.list_files() == [str(PLIST)]
    assert machine.schedule("--remove").code == 0
    assert machine.list_files() == []
    assert not (machine.programs / "loaded").exists()


def test_it_is_not_scheduled_twice(machine: Machine) -> None:
    machine.add("crontab", "systemctl")
    assert machine.schedule("--install", "--with", "cron", "--yes").code == 0
    done = machine.schedule("--install", "--yes")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "already scheduled with cron" in done.err
    assert machine.list_files() == []


def test_without_a_yes_nothing_is_written(machine: Machine) -> None:
    machine.add("systemctl")
    done = machine.schedule("--install")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "confirm with --yes" in done.err
    assert "[Timer]" in done.out
    assert machine.list_files() == []


@pytest.mark.parametrize(("answer", "is_written"), [("y", True), ("n", False), ("", False)])
def test_a_person_is_asked_after_the_text(machine: Machine, answer: str, is_written: bool) -> None:
    machine.add("systemctl")
    main, other = pty.openpty()
    with subprocess.Popen(machine.command("--install"), stdin=other, stdout=other, stderr=other):
        os.close(other)
        shown = b""
        while b"Write this?" not in shown:
            shown += os.read(main, 65536)
        assert b"[Timer]" in shown
        assert machine.list_files() == []
        os.write(main, f"{answer}\n".encode())
        with contextlib.suppress(OSError):  # it has ended
            while True:
                shown += os.read(main, 65536)
    os.close(main)
    assert (machine.list_files() != []) == is_written
    assert (b"nothing was scheduled" in shown) == (not is_written)


def test_an_agent_schedules_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.add("systemctl")
    monkeypatch.setenv("ORCHESTRATOR_RUN", "r1")
    done = machine.schedule("--install", "--yes")
    assert (done.code, machine.list_files()) == (2, [])
    assert "a run must not schedule anything" in done.err


@pytest.mark.parametrize("at", ["25:00", "2", "noon"])
def test_a_wrong_time_is_refused(machine: Machine, at: str) -> None:
    done = machine.schedule("--install", "--at", at)
    assert done.code == 2
    assert f"`{at}` is not a time of day; write it as 02:00" in done.err


def test_a_program_that_would_not_start_is_not_scheduled(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.add("systemctl")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    done = machine.schedule("--install", "--yes")
    assert (done.code, machine.list_files()) == (3, [])
    assert "a timer could not start this program: No such file or directory" in done.err


@pytest.mark.parametrize(
    ("scheduler", "program", "word", "word_of_removal"),
    [
        ("systemd", "systemctl", "daemon-reload", "disable"),
        ("systemd", "systemctl", "enable", "disable"),
        ("systemd", "systemctl", "restart", "daemon-reload"),
        ("launchd", "launchctl", "bootstrap", "bootout"),
        ("cron", "crontab", "-", "-"),
    ],
)
def test_what_was_killed_can_be_repeated(
    machine: Machine, scheduler: str, program: str, word: str, word_of_removal: str
) -> None:
    machine.add(program)
    if scheduler == "cron":
        machine.crontab.write_text("# mine\n", "utf-8")
    install = ("--install", "--with", scheduler, "--yes")
    machine.fail(f"{program} {word} kill")
    assert machine.start(*install) == -9
    machine.fail()
    assert machine.schedule(*install).code == 0
    written = machine.list_files(), machine.read_crontab()
    assert machine.schedule(*install).code == 0
    assert (machine.list_files(), machine.read_crontab()) == written
    assert f"scheduled with {scheduler}" in machine.schedule().out
    machine.fail(f"{program} {word_of_removal} kill")
    assert machine.start("--remove") == -9
    machine.fail()
    assert machine.schedule("--remove").code == 0
    assert machine.list_files() == []
    assert machine.read_crontab() in ("", "# mine\n")
    assert not (machine.programs / "loaded").exists()


@pytest.mark.parametrize(
    ("scheduler", "fault"),
    [
        ("systemd", "systemctl daemon-reload no bus"),
        ("systemd", "systemctl enable no bus"),
        ("systemd", "systemctl restart no bus"),
        ("launchd", "launchctl bootstrap no bus"),
        ("cron", "crontab - no bus"),
    ],
)
def test_what_could_not_be_started_is_not_there(
    machine: Machine, scheduler: str, fault: str
) -> None:
    machine.add("systemctl", "launchctl", "crontab")
    install = ("--install", "--with", scheduler, "--yes")
    machine.fail(fault)
    failed = machine.schedule(*install)
    assert (failed.code, len(failed.err.splitlines())) == (3, 1)
    assert machine.list_files() == []
    assert "not scheduled" in machine.schedule().out

    machine.fail()
    assert machine.schedule(*install).code == 0
    before = machine.schedule().out
    machine.fail(fault)
    assert machine.schedule(*install, "--at", "5:00").code == 3
    assert machine.schedule().out == before
    machine.fail()
    assert machine.schedule("--remove").code == 0
    assert machine.list_files() == []


def test_one_scheduler_is_shown_alone(machine: Machine) -> None:
    machine.add("systemctl", "crontab")
    assert machine.schedule("--install", "--yes").code == 0
    shown = machine.schedule("--show", "--with", "cron").out
    assert "scheduled with systemd, which is left out here" in shown
    assert "not scheduled with cron; `--install` would write this for cron:" in shown
    assert "[Timer]" not in shown
    assert "[Timer]" in machine.schedule("--show", "--with", "systemd").out


@pytest.mark.parametrize("words", [("--install", "--remove"), ("--show", "--install")])
def test_only_one_thing_is_done(machine: Machine, words: tuple[str, ...]) -> None:
    machine.add("systemctl")
    done = machine.schedule(*words, "--yes")
    assert (done.code, machine.list_files()) == (2, [])
    assert "exclude each other" in done.err


def test_a_nightly_review_runs_as_cron_starts_it(
    machine: Machine, run_line: Callable[[str], str]
) -> None:
    machine.add("crontab")
    assert machine.schedule("--install", "--yes").code == 0
    log = machine.home / ".local/state/prompt-learning-loop/review.log"
    log.write_bytes(b"an old night\n" * 100_000)
    line = machine.read_crontab().strip().replace("\\%", "%").split(" * * * ", 1)[1]
    for _ in range(2):
        run_line(line)
    written = log.read_text("utf-8")
    assert len(written) < 300_000
    assert "Traceback" not in written
    assert "not due: the last review was at" in written.splitlines()[-1]
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_written_command_is_this_program(
    machine: Machine, run_line: Callable[[str], str]
) -> None:
    machine.add("crontab")
    assert machine.schedule("--install", "--yes").code == 0
    line = machine.crontab.read_text("utf-8").strip().replace("\\%", "%")
    command = line.split(" * * * ", 1)[1].replace("review --all --due", "--version")
    run_line(command)
    log = machine.home / ".local/state/prompt-learning-loop/review.log"
    assert log.read_text("utf-8").startswith("orchestrator, version")


@pytest.fixture
def run_line() -> Callable[[str], str]:
    """Run a line as cron does: in the home folder, with almost no variables."""

    def run(command: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=os.environ["HOME"],
            env={"PATH": "/usr/bin:/bin", "LOGNAME": "anna"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return run
