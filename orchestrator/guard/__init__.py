"""Makes sure that a verdict can be believed: tests and environment unchanged, all cases run.

guard          all of it together, as the steps of a run call it; a `Reviewer`
build          builds guards
suite_runs     runs the suite under watch
fake           a reviewer whose findings are scripted

What is guarded, derived once:
baseline       derives, stores and loads it
protection     what is guarded in a project, why, and what must not appear
derivation     ... derived from the footprint of the baseline
helpers        ... with the helpers of tests distinguished from the code under test
command_chain  ... and from the files that the suite's command leads to
task_runners   ... through make, npm, tox and the like
path_rules     ... or from the names of files, where there is no footprint
shared_files   the part of a shared file (pyproject.toml) that affects tests
environment_state  interpreter, installed packages, programs
doctests       examples in product files

What an attempt found, restored after it:
attempts       records, compares and reverts
kept_files     stores guarded files byte for byte (manifest, copies), and restores them
tree           walks through a project, and takes the states of files
environment_changes  compares the environment (packages, startup_files), and restores it from copies
rules          restores the learned rules in one file
excludes       and the settings that keep such a file from being loaded
instructions   all files with rules, and what they are compared with

Whether its verdict can be believed:
suite_watch    compares the files before and after a run of the suite
suite_writes   records what a run of the suite itself writes
checks         checks what is new, added, hidden and missing
shadows        new files that take the place of modules
scan, weighing constructs in the added code whose only purpose is to fool tests
cases, counts  what the suite's report says, compared with that of the beginning
control_run    the old tests without the new ones
new_tests      new tests that need something that was reverted
"""

from orchestrator.guard.build import build_disabled_guard, build_guard
from orchestrator.guard.guard import Guard, GuardMode
from orchestrator.guard.protection import GuardedFile

__all__ = ["Guard", "GuardMode", "GuardedFile", "build_disabled_guard", "build_guard"]
