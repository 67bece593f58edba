"""Find out which scheduler this machine has for its users."""

import shutil
import sys

from orchestrator.sessions.schedule.job import Scheduler
from orchestrator.sessions.schedule.programs import ask_program


def choose_scheduler(platform: str | None = None) -> Scheduler | None:
    """Return the best scheduler that works here; None if there is none.

    systemd comes before cron, because it catches up after sleep and has a journal.

    Args:
        platform: the name of the system, as `sys.platform` has it; that of this machine if None.
    """
    platform = sys.platform if platform is None else platform
    if platform == "darwin" and shutil.which("launchctl"):
        return Scheduler.LAUNCHD
    if has_user_manager():
        return Scheduler.SYSTEMD
    if shutil.which("crontab"):
        return Scheduler.CRON
    return None


def has_user_manager() -> bool:
    """Return whether systemd manages services of this user: it does not in a container."""
    done = ask_program("systemctl", "--user", "show", "--property=Version", "--value")
    return done is not None and not done.returncode and bool(done.stdout.strip())


def is_lingering(user: str) -> bool | None:
    """Return whether the user's timers run while the user is logged out; None if unknown."""
    done = ask_program("loginctl", "show-user", user, "--property=Linger", "--value")
    if done is None or done.returncode:
        return None
    answer = done.stdout.decode("utf-8", "replace").strip()
    return {"yes": True, "no": False}.get(answer)
