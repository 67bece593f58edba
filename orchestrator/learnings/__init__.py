"""The learnings workspace, `.learnings/`: the evidence that rules come from.

entries: what an entry is.
markdown: lines, headings and code fences of people's Markdown.
documents: reads entries from a file, and changes them in it.
storage: locks, reads and replaces the files.
workspace: where a workspace is; creates and opens one.
gitignore: its lines in `.gitignore`.
entry_log: adds what happened, or counts it as another occurrence.
failure_log: logs the failures that runs and reports meet.
pending_errors: turns the failed tool calls that the hook logged into entries.
status_changes: resolves an entry.
review: finds what recurs and what waits.
score: decides whether to act on it without being asked.
rule_text: the text of the rule that an entry becomes.
plain_lines: rules that older versions wrote as plain list items.
promotion: writes the rule, and promotes the entry.
resume: compares unfinished write-ahead entries with the real state.
inspection: looks at that state.
"""
