"""Read past sessions of Claude Code, and find in them what could be learned.

In the order in which a night passes through them:

- `homes`, `files`: where transcripts are, and which files belong to one session.
- `archive`, `archive_copies`: copies them first, because Claude Code deletes them.
- `watermarks`, `scanning`: which files are new or have grown; reads only those.
- `row_reading`, `rows`, `row_recovery`: read lines, decode them, and recover what is broken.
- `deduplication`: counts each row and each answer of the model once, over all files.
- `reading`, `building`, `drafts`: build a `models.Session` from the rows of its files.
- `large_outputs`, `plain_files`: read outputs that stand beside a transcript; open files safely.
- `prompts`, `denials`, `classes`, `own_sessions`, `costs`: what a row means.
- `tool_inputs`, `commands`, `causes`, `suite_runs`: what a tool call did.
- `shell`, `programs`, `error_lines`, `code_errors`, `suite_commands`, `suite_outputs`: what these
  four rest on.
- `shortening`: cuts keys that are not masked yet.
- `detectors/`: what went wrong in one session.
- `tasks`: the numbers of each task in a session.
- `records`: what is stored of a session.
- `alike_words`, `command_sequences`: what is the same.
- `findings`, `finding_titles`: what went wrong in enough sessions, and what it becomes.
- `measured_tasks`, `metrics`: the numbers for `stats`.
- `report`: the report of a night.
- `schedule/`: timers that start it.
"""
