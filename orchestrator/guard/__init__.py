"""Keeps a verdict honest: what it rests on is as it was, and the cases really ran.

protection     what is guarded in a project, why, and what must not appear
derivation     ... derived from the footprint of the baseline
helpers        ... with the helpers of tests told from the code under test
command_chain  ... and from the files that the suite's command leads to
path_rules     ... or from the names of files, where there is no footprint
shared_files   the part of a shared file (pyproject.toml) that affects tests
tree           walks through a project, and takes signatures
kept_files     keeps guarded files byte for byte, and restores them
suite_watch    looks before and after a run of the suite
shadows        new files that take the place of modules
environment_state  interpreter, installed packages, programs
new_tests      new tests that need something that was reverted
rules          restores the learned rules in one file
excludes       and the settings that keep such a file from being loaded
instructions   all files with rules, and what they are compared with
cases, counts  what the suite's report says, compared with that of the beginning
scan, weighing constructs in the added code whose only use is to fool tests
guard          all of it together, as the steps of a run call it
"""

from orchestrator.guard.guard import Guard, GuardMode, guard_of, no_guard
from orchestrator.guard.protection import Guarded

__all__ = ["Guard", "GuardMode", "Guarded", "guard_of", "no_guard"]
