"""Count what is stored of sessions.

- `findings`, `finding_titles`: what went wrong in enough sessions, and what it becomes.
- `alike_words`, `command_sequences`: what is the same.
- `tasks`: the numbers of each task in a session.
- `measured_tasks`, `metrics`: the numbers for `stats`.
- `stats_charts`, `stats_picture`: the picture of them.
"""
