"""Keeps a verdict honest: tests as they were when the attempt began, and cases that really ran.

watch     which files are guarded, by their path
essence   the part of a shared file (pyproject.toml) that steers tests
pristine  remembers guarded files byte for byte, and puts them back
rules     the same for the learned rules in one file
excludes  and for the settings that keep such a file from being loaded
instructions  all files with rules, and what they are held against
cases     what the suite's report says, against the report of the beginning
scan      constructs in the added code whose only use is to fool tests
guard     all of it together, as the steps of a run call it
"""

from orchestrator.guard.guard import Guard, GuardMode, guard_of, no_guard

__all__ = ["Guard", "GuardMode", "guard_of", "no_guard"]
