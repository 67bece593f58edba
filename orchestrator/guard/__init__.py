"""Makes a verdict trustworthy: tests and environment are unchanged, and all cases really ran.

guard                 all parts together, as the steps of a run call them; the first `Reviewer`
mode                  what it does about edits
build                 builds guards
suite_runs            runs the suite under watch
fake                  a reviewer whose findings are scripted

What is guarded, derived once at the baseline:
baseline              derives, stores and loads it
protection            what is guarded in a project, why, and which new files are prohibited
protection_derivation ... derived from the footprint of the baseline
helper_modules        ... with helpers of tests distinguished from the code under test
command_chain         ... and from the files that the suite's command leads to
task_runners          ... through make (makefiles), npm, tox and the like
scripts               ... through programs, unless they hold the code under test
prohibited_names      ... and names that no new file may have
path_rules            ... or from the names of files, without a footprint
shared_files          the part of a shared file (pyproject.toml) that affects tests
search_path           where Python finds modules
environment_state     interpreter, installed packages, programs
doctests              examples in product files

What an attempt finds, restored after it:
attempts              records, loads and reverts
guarded_file_store    stores guarded files (manifest, copy_store)
file_changes          ... finds changes (tree: the project's files and their states)
file_restoring        ... and restores them
environment_changes   compares the environment (installed_packages, startup_files)
environment_copies    ... and restores it
instruction_files     all files with learned rules, and what decides whether they are loaded
learned_rules         ... restores the rules in one file
claude_md_excludes    ... and the settings that exclude a file

Whether its verdict can be trusted:
suite_watch           checks the project before and after a run of the suite (bytecode)
suite_writes          the files that a run of the suite itself writes
verdict_checks        all checks of one attempt:
shadowing_modules       new files that shadow modules
attempt_scan, scan      constructs in the added code whose only use is to deceive tests
report_comparison       cases that are hidden, by comparison with the baseline's report
case_counts             ... by the runner's count of tests
control_run           the old tests without the new ones
reverted_dependencies new tests that need something that was reverted

findings, errors      how all of them report
"""

from orchestrator.guard.build import build_disabled_guard, build_guard
from orchestrator.guard.guard import Guard
from orchestrator.guard.mode import GuardMode
from orchestrator.guard.protection import GuardedFile

__all__ = ["Guard", "GuardMode", "GuardedFile", "build_disabled_guard", "build_guard"]
