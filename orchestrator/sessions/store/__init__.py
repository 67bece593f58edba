"""Store transcripts, and what was found in them.

- `archive`, `archive_copies`, `archive_index`, `archive_space`: copies of transcripts.
- `cleanup_period`: after how many days Claude Code deletes them.
- `watermarks`, `scanning`, `family_scan`, `scan_results`: read what is new or has changed.
- `records`: what is stored of a session.
- `session_project`, `project_sessions`: the project of a session, and the sessions of a project.
- `listing`, `session_counts`: list and count what is stored.
"""
