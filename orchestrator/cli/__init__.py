"""The command line: parse arguments, call a service, print, return an exit code.

- main: the `orchestrator` command, and the one place that turns errors into exit codes
- options, text_argument: options that several commands take; arguments that are text
- run, report, teach, teacher, demo: the commands that start work
- runs, rules, config, hooks: the commands that show and change what is stored
- learnings, learnings_init, learnings_promote: `orchestrator learnings`
- console, progress: print a run for a person as it happens
- plan_lines, run_facts: what is said before a run and at its end
- output: standard output that may be closed, full, or read by nobody
- json_lines: print a run's events as JSON
- summaries, values: format parts of a run, and plain values
- records, run_lines, timeline, learnings_view: print what is on record
"""

from orchestrator.cli.main import main

__all__ = ["main"]
